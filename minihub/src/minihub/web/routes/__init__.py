"""The Hub's HTTP API, one subject a file."""

import minihub.web.convertors  # noqa: F401 - a route is made where its module is read, and needs them then
