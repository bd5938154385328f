"""Without the extra ``dashboard`` what needs a server is not collected."""

from importlib.util import find_spec

NEED_A_SERVER = ["test_beside.py", "test_command.py", "test_server.py"]
collect_ignore = [] if find_spec("starlette") and find_spec("uvicorn") else NEED_A_SERVER
