"""A little blog on Flask, with linkback at home in it: run `python examples/flask_blog`.

linkback comes in at four places: `create_app` (settings and one call), `resolve`, `published` and `delete` (one call
each), and the templates (one call a thread). Everything else is the blog.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from linkback import LinkbackError, Reason, Refused, Status
from linkback.adapters.flask import Linkback
from shared.addresses import readable
from shared.posts import Post, Posts

SHARED = Path(__file__).resolve().parent.parent / "shared"
DECISIONS = {"approve": Status.APPROVED, "reject": Status.REJECTED, "spam": Status.SPAM}
LOOPBACK = ("127.0.0.1", "localhost")
MOST_TEXT, MOST_LINE = 1_000_000, 200

linkback = Linkback()
blog = Blueprint("blog", __name__, template_folder=str(SHARED / "templates"))


def create_app(url: str, data: Path, **settings: Any) -> Flask:
    """The blog at the public address `url`, its databases in the folder `data`; `settings` are linkback's."""
    app = Flask(__name__, static_folder=str(SHARED / "static"))
    host = urlsplit(url).hostname or ""
    app.config.update(
        OWN_HOSTS=[host, *LOOPBACK],
        POSTS=Posts(data / "blog.db"),
        LINKBACK_SITE=url,
        LINKBACK_DATABASE=f"sqlite:///{data / 'linkback.db'}",
        LINKBACK_RESOLVE=resolve,
        # blogs on one machine may talk to each other
        LINKBACK_ALLOW_NETWORKS=["127.0.0.0/8"] if host in LOOPBACK else [],
        **settings,
    )
    linkback.init_app(app)
    app.register_blueprint(blog)
    app.add_template_global(permalink)
    return app


def resolve(url: str) -> str | None:
    """The permalink of the post that a URL means: what linkback asks of links to this blog."""
    post = kept().at(urlsplit(url).path)
    if post is not None and post.deleted:
        raise Refused(Reason.TARGET_GONE)
    return None if post is None else permalink(post)


def permalink(post: Post) -> str:
    """A post's public address, whatever name the request came by."""
    return str(current_app.config["LINKBACK_SITE"]).rstrip("/") + url_for("blog.show", slug=post.slug)


def published(post: Post) -> ResponseReturnValue:
    """A post is out, or edited: owe what its article, as readers see it, is to tell, and lead to it."""
    linkback.site.publish(permalink(post), render_template("article.html", post=post))
    return redirect(url_for(".show", slug=post.slug), 303)


@blog.post("/posts/<slug>/delete")
def delete(slug: str) -> ResponseReturnValue:
    post = known(slug)
    kept().delete(slug)
    # the page answers 410 from now on: that is what those find who were told of it
    linkback.site.unpublish(permalink(post))
    return redirect(url_for(".index"), 303)


def kept() -> Posts:
    """What the blog keeps."""
    posts: Posts = current_app.config["POSTS"]
    return posts


def known(slug: str) -> Post:
    """The post that a page is about."""
    post = kept().find(slug)
    if post is None or post.deleted:
        abort(404 if post is None else 410)
    return post


def field(name: str, most: int = MOST_LINE) -> str:
    """A field of the form that was sent."""
    text = request.form.get(name, "").strip()
    if not 0 < len(text) <= most:
        abort(400, f"The field {name} takes 1 to {most:,} characters, not {len(text):,}.")
    return text


@blog.before_app_request
def own_form() -> None:
    """There is no login, so no other site's page may send a form here; browsers say whose page it is."""
    sent = urlsplit(request.headers.get("Origin", request.host_url))
    own = sent.netloc == request.host and sent.hostname in current_app.config["OWN_HOSTS"]
    if request.method == "POST" and not own:
        abort(403, "Forms of this blog are sent from its own pages only.")


@blog.get("/")
def index() -> str:
    posts = [(post, kept().comments(post.slug)) for post in kept().all()]
    return render_template("index.html", posts=posts)


@blog.route("/write", methods=["GET", "POST"])
def write() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("write.html", post=None)
    return published(kept().add(field("title"), field("body", MOST_TEXT)))


@blog.route("/posts/<slug>/edit", methods=["GET", "POST"])
def edit(slug: str) -> ResponseReturnValue:
    post = known(slug)
    if request.method == "GET":
        return render_template("write.html", post=post)
    return published(kept().change(post, field("title"), field("body", MOST_TEXT)))


@blog.get("/posts/<slug>/")
def show(slug: str) -> str:
    post, reply = known(slug), request.args.get("reply", "")
    answered, comments = kept().author(slug, reply), kept().comments(slug)
    return render_template("post.html", post=post, comments=comments, reply=reply, answered=answered)


@blog.post("/posts/<slug>/comments")
def comment(slug: str) -> ResponseReturnValue:
    parent = request.form.get("parent", "")
    id = kept().add_comment(known(slug).slug, field("author"), field("text", MOST_TEXT), parent)
    return redirect(url_for(".show", slug=slug, _anchor=f"comment-{id}"), 303)


@blog.get("/deliveries")
def deliveries() -> str:
    return render_template("deliveries.html", deliveries=readable(linkback.site.deliveries()))


@blog.get("/moderation")
def moderation() -> str:
    return render_template("moderation.html", mentions=readable(linkback.site.mentions(statuses=None)))


@blog.post("/moderation/<id>")
def moderate(id: str) -> ResponseReturnValue:
    action = field("action")
    if action not in {*DECISIONS, "re-check"}:
        abort(400, "The actions are approve, reject, spam and re-check.")
    site, status = linkback.site, DECISIONS.get(action)
    if not (site.moderate(id, status) if status else site.recheck(id)):
        abort(404, "There is no such mention, or it is not to be looked at again.")
    return redirect(url_for(".moderation"), 303)


@blog.app_errorhandler(HTTPException)
def sorry(error: HTTPException) -> ResponseReturnValue:
    return render_template("error.html", message=error.description), error.code or 500


@blog.app_errorhandler(LinkbackError)
def untold(error: LinkbackError) -> ResponseReturnValue:
    """What was written is kept; linkback would not tell of it, or its database is away."""
    return render_template("error.html", message=f"linkback: {error}"), 400 if isinstance(error, Refused) else 503
