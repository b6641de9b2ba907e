"""A little blog on FastAPI, with linkback at home in it: run `python examples/fastapi_blog`."""
