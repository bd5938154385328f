"""Without the extra ``dashboard`` what needs a server is not collected."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("starlette") and find_spec("uvicorn") else ["test_[sc][eo][rm]*.py"]
