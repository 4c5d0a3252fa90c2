"""Who may change something: those whom the service's policy names, themselves or by their user group."""

from autoscaler.engine.room.known import Known
from autoscaler.errors import OutsideError, RefusedError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Groups, Person

GROUP = "S"
"""How the id of a user group begins; those of people begin with U or W."""


async def is_approver(one: Known, who: Person, groups: Groups) -> bool:
    """Raises RefusedError and UnavailableError when a group can't be read, and nothing else names them."""
    approvers = one.file.policy.approval.approvers if one.file else ()
    if who.id in approvers:
        return True
    for group in approvers:
        if group.startswith(GROUP) and who.id in await groups.members(group):
            return True
    return False


async def need_approver(one: Known, who: Person, groups: Groups) -> PolicyFile:
    """The policy that names them. Raises RefusedError for everybody else; it names the line that lets them in."""
    service, file = one.name, one.file
    if file is None:
        raise RefusedError(f"No policy looks after {service} any more.")
    try:
        if await is_approver(one, who, groups):
            return file
    except OutsideError as error:
        raise RefusedError(f"I can't tell whether you are an approver of {service}: {error}") from None
    if not file.policy.approval.approvers:
        raise RefusedError(
            f"Nobody is an approver of {service} yet. In {file.path}, write approval: {{approvers: [{who.id}]}}: that is you. "
            "`autoscaler approve` and the other commands work for whoever has the bot's database."
        )
    raise RefusedError(
        f"Only approvers of {service} may do that, and you ({who.id}) are not among them: {file.path} names them under approval.approvers."
    )
