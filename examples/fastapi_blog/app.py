"""The blog's pages, and where linkback comes in: `make_site`, `install`, and the views that await a `Blog`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as AnyHTTPException

from linkback import BUILTIN, Fetcher, LinkbackError, Policy, Reason, Refused, Site, Status
from linkback.adapters.fastapi import AsyncSite, current_site, install
from shared.addresses import readable
from shared.posts import Post, Posts

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent / "shared"
LOOPBACK = ("127.0.0.1", "localhost")
DECISIONS = {"approve": Status.APPROVED, "reject": Status.REJECTED, "spam": Status.SPAM}
templates = Jinja2Templates([HERE / "templates", SHARED / "templates"])


def make_site(url: str, data: Path, posts: Posts, protocols: Iterable[str], *, name: str, moderate: bool) -> Site:
    """The blog as linkback knows it."""

    def resolve(found: str) -> str | None:
        post = posts.at(urlsplit(found).path.removeprefix(urlsplit(url).path.rstrip("/")))
        if post is not None and post.deleted:
            raise Refused(Reason.TARGET_GONE)
        return address(url, post) if post is not None else None

    return Site(
        url,
        store=f"sqlite:///{data / 'linkback.db'}",
        fetch=Fetcher(allow=["127.0.0.0/8"] if urlsplit(url).hostname in LOOPBACK else []),
        policy=Policy(moderate=moderate),
        resolve=resolve,
        protocols=[protocol for protocol in BUILTIN if protocol.name in protocols],
        name=name,
    )


def make_app(site: Site, posts: Posts) -> FastAPI:
    """The blog as an application: its pages, and linkback put on it."""
    app = FastAPI(openapi_url=None, dependencies=[Depends(check_origin)])
    app.state.site, app.state.posts = site, posts
    install(app, site)
    app.include_router(pages)
    app.mount("/static", StaticFiles(directory=SHARED / "static"))
    app.add_exception_handler(AnyHTTPException, sorry)
    app.add_exception_handler(LinkbackError, sorry)
    return app


def address(url: str, post: Post) -> str:
    """A post's permalink, on the blog at `url`."""
    return url.rstrip("/") + post.path


def check_origin(request: Request) -> None:
    """There is no login, so no other site's page may send a form here; browsers say whose page it is."""
    own, host = urlsplit(request.app.state.site.url), urlsplit(f"//{request.headers.get('host', '')}")
    origins = {None, f"{own.scheme}://{own.netloc}", f"http://{host.netloc}" if host.hostname in LOOPBACK else None}
    if request.method == "POST" and request.headers.get("origin") not in origins:
        raise HTTPException(403, f"Forms of this blog are sent from {own.geturl()} only.")


def all_posts(request: Request) -> Posts:
    posts: Posts = request.app.state.posts
    return posts


def known_post(request: Request, slug: str) -> Post:
    """The post that a page is about. A dependency that is no coroutine runs in a thread, and may read files."""
    post = all_posts(request).find(slug)
    if post is None or post.deleted:
        raise HTTPException(410, "This post was deleted.") if post else HTTPException(404, "There is no such post.")
    return post


pages = APIRouter(default_response_class=HTMLResponse)
Blog = Annotated[AsyncSite, Depends(current_site)]
Kept = Annotated[Posts, Depends(all_posts)]
Known = Annotated[Post, Depends(known_post)]
Text = Annotated[str, Form()]


def page(request: Request, template: str, status_code: int = 200, **values: Any) -> Response:
    return templates.TemplateResponse(request, template, {"site": request.app.state.site, **values}, status_code)


async def tell(post: Post, blog: AsyncSite) -> Response:
    """Owe what a post, as it is now, is to tell, by its article as it is shown; lead to it."""
    url = address(blog.site.url, post)
    await blog.publish(url, templates.get_template("article.html").render(post=post, url=url, site=blog.site))
    return RedirectResponse(post.path, 303)


@pages.get("/")
async def index(request: Request, posts: Kept, blog: Blog) -> Response:
    listed = []
    for post in await run_in_threadpool(posts.all):
        comments = await run_in_threadpool(posts.comments, post.slug)
        listed.append((post, await blog.count(address(blog.site.url, post), comments)))
    return page(request, "index.html", posts=listed)


@pages.get("/write")
async def write(request: Request) -> Response:
    return page(request, "write.html", post=None)


@pages.post("/write")
async def publish(posts: Kept, blog: Blog, title: Text = "", body: Text = "") -> Response:
    return await tell(await run_in_threadpool(posts.add, title.strip() or "Untitled", body), blog)


@pages.api_route("/posts/{slug}/", methods=["GET", "HEAD"])
async def show(request: Request, post: Known, posts: Kept, blog: Blog, reply: str = "") -> Response:
    url, answered = address(blog.site.url, post), await run_in_threadpool(posts.author, post.slug, reply)
    thread = await blog.thread(url, await run_in_threadpool(posts.comments, post.slug))
    return page(request, "post.html", post=post, url=url, thread=thread, reply=reply, answered=answered)


@pages.post("/posts/{slug}/comments")
async def comment(post: Known, posts: Kept, author: Text = "", text: Text = "", parent: Text = "") -> Response:
    id = await run_in_threadpool(posts.add_comment, post.slug, author, text, parent)
    return RedirectResponse(f"{post.path}#comment-{id}", 303)


@pages.get("/posts/{slug}/edit")
async def edit(request: Request, post: Known) -> Response:
    return page(request, "write.html", post=post)


@pages.post("/posts/{slug}/edit")
async def republish(post: Known, posts: Kept, blog: Blog, title: Text = "", body: Text = "") -> Response:
    return await tell(await run_in_threadpool(posts.change, post, title.strip() or post.title, body), blog)


@pages.post("/posts/{slug}/delete")
async def delete(post: Known, posts: Kept, blog: Blog) -> Response:
    await run_in_threadpool(posts.delete, post.slug)
    # the page answers 410 by now: that is what the pages that were told of it will find
    await blog.unpublish(address(blog.site.url, post))
    return RedirectResponse("/", 303)


@pages.get("/deliveries")
async def deliveries(request: Request, blog: Blog) -> Response:
    return page(request, "deliveries.html", deliveries=readable(await blog.deliveries()))


@pages.get("/moderation")
async def moderation(request: Request, blog: Blog) -> Response:
    return page(request, "moderation.html", mentions=readable(await blog.mentions(statuses=None)))


@pages.post("/moderation/{id}")
async def moderate(id: str, blog: Blog, action: Text = "") -> Response:
    if action not in (*DECISIONS, "re-check"):
        raise HTTPException(422, f"There is no action {action!r}.")
    decision = DECISIONS.get(action)
    if not (await blog.moderate(id, decision) if decision else await blog.recheck(id)):
        raise HTTPException(404, "There is no such mention, or it cannot be looked at now.")
    return RedirectResponse("/moderation", 303)


async def sorry(request: Request, error: Exception) -> Response:
    """Refusals as pages. What linkback could not do comes after a post was saved: saving it again makes up for it."""
    if isinstance(error, AnyHTTPException):
        return page(request, "error.html", error.status_code, message=error.detail)
    return page(request, "error.html", 503, message=f"linkback could not do its part: {error}")
