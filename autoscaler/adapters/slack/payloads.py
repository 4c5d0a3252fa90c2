"""What Slack sends over its socket, as far as we read it (Slack's reference: block_actions, view_submission and slash command payloads)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from autoscaler.adapters.slack.blocks import ACTIONS, REASON, action_id
from autoscaler.ports import Person, Place, Press, Said
from autoscaler.report.messages import Verb


class _User(BaseModel):
    id: Annotated[str, Field(min_length=1)]
    username: str = ""
    name: str = ""

    @property
    def person(self) -> Person:
        return Person(self.id, self.username or self.name)


class _Option(BaseModel):
    value: str


class _Action(BaseModel):
    action_id: str
    value: str = ""
    selected_option: _Option | None = None


class _Message(BaseModel):
    text: str = ""
    blocks: list[dict[str, Any]] = []


class _Container(BaseModel):
    is_ephemeral: bool = False


class Pressed(BaseModel):
    """A button or a menu of a message."""

    type: Literal["block_actions"]
    user: _User
    actions: Annotated[list[_Action], Field(min_length=1, max_length=1)]
    trigger_id: str = ""
    response_url: str = ""
    message: _Message = _Message()
    container: _Container = _Container()

    @property
    def press(self) -> Press | None:
        """None: it is none of ours."""
        action = self.actions[0]
        try:
            verb = Verb(action.action_id.removeprefix(ACTIONS))
        except ValueError:
            return None
        if action.selected_option is None:
            return Press(verb, action.value, self.user.person)
        choice, _, subject = action.selected_option.value.partition(" ")
        return Press(verb, subject, self.user.person, choice)


class _Input(BaseModel):
    value: str | None = None


class _State(BaseModel):
    values: dict[str, dict[str, _Input]] = {}


class _View(BaseModel):
    callback_id: str
    private_metadata: str = ""
    state: _State = _State()


class Submitted(BaseModel):
    """The form in which somebody says why not."""

    type: Literal["view_submission"]
    user: _User
    view: _View

    @property
    def press(self) -> Press | None:
        """None: it is none of ours."""
        if self.view.callback_id != action_id(Verb.REJECT):
            return None
        reason = self.view.state.values.get(REASON, {}).get(REASON, _Input()).value or ""
        return Press(Verb.REJECT, self.view.private_metadata, self.user.person, reason=reason.strip())


class Commanded(BaseModel):
    """A slash command."""

    command: str
    text: str = ""
    user_id: Annotated[str, Field(min_length=1)]
    user_name: str = ""
    channel_id: Annotated[str, Field(min_length=1)]
    channel_name: str = ""
    response_url: str = ""

    @property
    def said(self) -> Said:
        """As the control room hears it."""
        return Said(self.text, Person(self.user_id, self.user_name), Place(self.channel_id, self.channel_name))


Heard = Pressed | Submitted | Commanded
_INTERACTIVE: TypeAdapter[Pressed | Submitted] = TypeAdapter(
    Annotated[Pressed | Submitted, Field(discriminator="type")]
)


def read(kind: str, payload: object) -> Heard | None:
    """What it is; None for anything that we do not use, or that is not as Slack says."""
    try:
        if kind == "slash_commands":
            return Commanded.model_validate(payload)
        if kind == "interactive":
            return _INTERACTIVE.validate_python(payload)
    except ValidationError:
        return None
    return None
