"""Who asks: `whoami`. A subject of its own, as each file of routes is one."""

from typing import Any

from starlette.routing import Route

from minihub.web.call import Call, route


def whoami(call: Call) -> dict[str, Any]:
    """The account of the token."""
    viewer = call.signed_in()
    accounts = call.state.accounts
    return {
        **accounts.describe(viewer.name),
        "canPay": False,
        "periodEnd": None,
        "emailVerified": True,
        "orgs": accounts.orgs(viewer.name),
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": viewer.token_name,
                "role": viewer.role,
                "createdAt": accounts.describe(viewer.name)["createdAt"],
            },
        },
    }


ROUTES = [Route("/api/whoami-v2", route(whoami), methods=["GET"])]
