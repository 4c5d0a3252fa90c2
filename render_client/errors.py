"""What can go wrong when Render is asked, by meaning rather than by number.

The tree is drawn in the package's docstring. Every error says what happened, where, and what to do next;
none ever holds the API key or the value of an environment variable.
"""


class RenderError(Exception):
    """Something asked of Render did not come about.

    Attributes:
        method: HTTP method of the call; empty when the fault was found before there was one.
        path: path of the call below the base URL, such as ``/services/srv-…``.
        status: HTTP status of the reply, or None when none came or none was asked for.
        message: Render's own words, or empty.
        request_id: Render's name for the request, which its support asks for, or empty.
        request_may_have_acted: True when a write, in this try or in one before it, may have reached Render
            without a confirmation: look at what is there now before doing it again.
        retry_after: seconds after which Render wants to be asked again, or None when it did not say.
    """

    def __init__(  # noqa: PLR0913  # one argument an attribute, all by name
        self,
        summary: str,
        *,
        method: str = "",
        path: str = "",
        status: int | None = None,
        message: str = "",
        request_id: str = "",
        request_may_have_acted: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(summary)
        self.method = method
        self.path = path
        self.status = status
        self.message = message
        self.request_id = request_id
        self.request_may_have_acted = request_may_have_acted
        self.retry_after = retry_after


class BadKeyError(RenderError):
    """The API key is missing, malformed, or refused (401)."""


class ForbiddenError(RenderError):
    """The key is good, its owner may not do this (403)."""


class NotFoundError(RenderError):
    """Render knows nothing by that id or name (404)."""


class GoneError(RenderError):
    """It was there and has been deleted (410)."""


class ConflictError(RenderError):
    """The resource's present state does not allow the request (409)."""


class PaymentNeededError(RenderError):
    """The workspace has no valid means of payment (402): only a person can help."""


class RateLimitedError(RenderError):
    """Render accepts no more calls of this kind until ``retry_after`` seconds have passed.

    ``status`` is 429, or None when the call was not even sent because Render would surely have refused it.
    """


class RefusedInputError(RenderError):
    """Render read the request and will not have it (400, 406, and every other 4xx)."""


class RenderDownError(RenderError):
    """No usable answer: 5xx, a timeout, no connection, a cut or unreadable body, a redirect.

    Look at ``request_may_have_acted`` before writing again.
    """
