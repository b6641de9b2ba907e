"""linkback and a real WordPress tell each other about links, over real sockets.

Skipped where no WordPress is up (wordpress/wordpress.sh up). What WordPress does was measured: wordpress/wordpress.md.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from linkback import urls
from linkback.errors import Reason
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.model import Author, Claim, ClaimState, Outcome, Reply, Status
from linkback.policy import Outgoing
from linkback.protocols import Pingback, TrackBack
from linkback.site import Site
from tests.interop.ours import Blog, Sources, listening, run, send, serve
from tests.interop.peer import Comment, Post, WordPress
from tests.serving import eventually, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.interop

#: a page on the port where nobody listens
NOWHERE = "http://127.0.0.1:9/a-note"
#: exit codes of the command line
DONE, NO, NO_ENDPOINT = 0, 1, 3


def linking_to(*linked: str) -> str:
    """Paragraphs that link to URLs."""
    return "".join(
        f'<p>We walked far and read <a href="{escape(url)}">the first post</a> of that blog on the way home.</p>'
        for url in linked
    )


# linkback -> WordPress: pingback


def test_a_pingback_of_ours_becomes_a_comment(wordpress: WordPress, sources: Sources, target: Post) -> None:
    """F-3, F-6, F-7, F-9, F-10"""
    source = sources.add("Bäume & „Wörter“", linking_to(target.url))
    code, [delivery] = send(source, target.url)
    assert code == DONE
    assert (delivery["outcome"], delivery["protocol"], delivery["code"]) == ("sent", "pingback", None)
    assert delivery["endpoint"] == wordpress.xmlrpc
    [comment] = wordpress.comments(target)
    assert comment == Comment(
        type="pingback",
        author="Bäume &amp; „Wörter“",
        url=source,
        content="[&#8230;] walked far and read the first post of that blog on the way [&#8230;]",
        approved="1",
        agent=comment.agent,
    )
    assert comment.agent.startswith("linkback/")


def test_a_repeated_pingback_counts_as_sent(wordpress: WordPress, sources: Sources, target: Post) -> None:
    """WordPress answers fault 48 and lists the link once (F-8)."""
    source = sources.add("Twice", linking_to(target.url))
    send(source, target.url)
    code, [again] = send(source, target.url)
    assert (code, again["outcome"], again["code"]) == (DONE, "sent", 48)
    assert len(wordpress.comments(target)) == 1


def test_a_pingback_that_is_held_for_moderation_counts_as_sent(
    wordpress: WordPress, sources: Sources, target: Post
) -> None:
    source = sources.add("Held", linking_to(target.url))
    with wordpress.setting("comment_previously_approved", 1):
        code, [delivery] = send(source, target.url)
    assert (code, delivery["outcome"], delivery["code"]) == (DONE, "sent", None)
    assert [comment.approved for comment in wordpress.comments(target)] == ["0"]


def test_a_source_without_the_link_is_refused_without_a_reason(
    wordpress: WordPress, sources: Sources, target: Post
) -> None:
    """F-1, F-6"""
    code, [delivery] = send(sources.add("No link", f"<p>{target.url}</p>"), target.url)
    assert code == NO
    assert (delivery["outcome"], delivery["code"], delivery["detail"]) == ("refused", 0, "")
    assert wordpress.comments(target) == []


def test_a_post_that_takes_no_pings_has_no_endpoint(wordpress: WordPress, sources: Sources, target: Post) -> None:
    """F-10"""
    wordpress.close(target)
    code, [delivery] = send(sources.add("Late", linking_to(target.url)), target.url)
    assert (code, delivery["outcome"], delivery["protocol"]) == (NO_ENDPOINT, "no-endpoint", None)


def test_a_post_that_does_not_exist_is_not_pinged(wordpress: WordPress, sources: Sources) -> None:
    missing = f"{wordpress.url}?p=999999999"
    code, [delivery] = send(sources.add("Lost", linking_to(missing)), missing)
    assert (code, delivery["outcome"], delivery["protocol"], delivery["code"]) == (NO, "refused", None, 404)


def wrong_claim(wrong: str, wordpress: WordPress, sources: Sources, target: Post) -> Claim:
    """A claim with one thing wrong."""
    if wrong == "pings are closed":
        wordpress.close(target)
    about = {
        "no such post": f"{wordpress.url}?p=999999999",
        "the home page": wordpress.url,
        "another host": target.url.replace("127.0.0.1", "localhost"),
    }.get(wrong, target.url)
    match wrong:
        case "no such source":
            source = NOWHERE
        case "no link":
            source = sources.add("No link", "<p>Nothing here.</p>")
        case "no title":
            source = sources.add(None, linking_to(about))
        case _:
            source = sources.add("Wrong", linking_to(about))
    return Claim("pingback", source, about)


@pytest.mark.parametrize("real", [False, True], ids=["stock", "real faults"])
@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("no such source", 16),
        ("no link", 17),
        ("no title", 32),
        ("no such post", 33),
        ("the home page", 33),
        ("pings are closed", 33),
        ("another host", 0),
    ],
)
def test_a_fault_of_wordpress_is_a_refusal_whatever_its_code(
    wordpress: WordPress, sources: Sources, fetch: Fetcher, target: Post, wrong: str, meant: int, real: bool
) -> None:
    """Stock WordPress says 0 for them all; the codes behind it are read as well (F-1, F-5)."""
    claim = wrong_claim(wrong, wordpress, sources, target)
    with wordpress.setting("wpi_real_faults", int(real)):
        reply = Pingback().read_reply(fetch.send(Pingback().write_ping(wordpress.xmlrpc, claim)))
    assert (reply.outcome, reply.code, reply.unusable) == (Outcome.REFUSED, meant if real else 0, False)
    assert wordpress.comments(target) == []


def test_a_source_that_reads_like_another_is_refused(wordpress: WordPress, sources: Sources, target: Post) -> None:
    """WordPress takes the same words under the same title for the same comment, wherever they stand."""
    first, second = (sources.add("The same", linking_to(target.url)) for _ in range(2))
    send(first, target.url)
    code, [delivery] = send(second, target.url)
    assert (code, delivery["outcome"], delivery["code"]) == (NO, "refused", 409)
    assert len(wordpress.comments(target)) == 1


def test_two_links_to_one_throttling_blog_both_arrive(
    wordpress: WordPress, sources: Sources, fetch: Fetcher, target: Post, tmp_path: Path
) -> None:
    """Stock WordPress takes one comment in fifteen seconds from an address; the other delivery is made later."""
    other = wordpress.publish("Another post to link to", "<p>It waits, too.</p>")
    source = sources.add("Two links", linking_to(target.url, other.url))
    now = datetime.now(UTC)
    with Site(
        sources.url,
        store=f"sqlite:///{tmp_path / 'our.db'}",
        fetch=fetch,
        runner=External(),
        outgoing=Outgoing(host_seconds=0),
        clock=lambda: now,
    ) as site:
        site.publish(source)
        site.work()
        with wordpress.setting("wpi_flood", 1):
            site.work()
        told, throttled = site.deliveries(source)
        assert (told.outcome, throttled.outcome, throttled.code) == (Outcome.SENT, Outcome.FAILED, 429)
        now += timedelta(minutes=5)
        site.drain()
        assert [delivery.outcome for delivery in site.deliveries(source)] == [Outcome.SENT] * 2
    assert [len(wordpress.comments(post)) for post in (target, other)] == [1, 1]


def test_publishing_tells_a_post_that_offers_only_pingback_by_pingback(
    wordpress: WordPress, sources: Sources, fetch: Fetcher, target: Post, tmp_path: Path
) -> None:
    source = sources.add("Published", linking_to(target.url))
    with Site(sources.url, store=f"sqlite:///{tmp_path / 'our.db'}", fetch=fetch, runner=External()) as site:
        assert [delivery.target for delivery in site.publish(source)] == [target.url]
        site.drain()
        [made] = site.deliveries(source)
        assert (made.outcome, made.protocol, made.attempts) == (Outcome.SENT, "pingback", 1)
        assert site.publish(source) == []
    assert [(comment.type, comment.url) for comment in wordpress.comments(target)] == [("pingback", source)]


# linkback -> WordPress: trackback. WordPress advertises none in its pages, so its URL is given.


def trackback(fetch: Fetcher, post: Post, claim: Claim) -> Reply:
    """Send a trackback; gives the reply as it is read."""
    return TrackBack().read_reply(fetch.send(TrackBack().write_ping(post.trackback_url, claim)))


@pytest.mark.parametrize(
    ("claim", "author", "content"),
    [
        pytest.param(
            Claim("trackback", NOWHERE, "", title="Bäume & “Wörter”", excerpt="Über 1 < 2.", blog_name="Ünser Blog"),
            "Ünser Blog",
            "<strong>Bäume &amp; “Wörter”</strong>\n\nÜber 1 &lt; 2.",
            id="all fields",
        ),
        # without a title WordPress stores nothing, so one is always sent
        pytest.param(Claim("trackback", NOWHERE, ""), "", f"<strong>{NOWHERE}</strong>\n\n", id="no title"),
        pytest.param(
            Claim("trackback", NOWHERE, "", title="0"), "", "<strong>0</strong>\n\n", id="a title PHP calls empty"
        ),
    ],
)
def test_a_trackback_of_ours_becomes_a_comment(
    wordpress: WordPress, fetch: Fetcher, target: Post, claim: Claim, author: str, content: str
) -> None:
    """F-18, F-20"""
    assert trackback(fetch, target, claim).outcome is Outcome.SENT
    [comment] = wordpress.comments(target)
    assert (comment.type, comment.url, comment.author) == ("trackback", NOWHERE, author)
    assert comment.content == content


def test_a_repeated_trackback_is_refused_by_wordpress(wordpress: WordPress, fetch: Fetcher, target: Post) -> None:
    """F-18, F-21"""
    claim = Claim("trackback", NOWHERE, "", title="Twice", excerpt="Words")
    trackback(fetch, target, claim)
    reply = trackback(fetch, target, claim)
    assert (reply.outcome, reply.code, reply.detail) == (
        Outcome.REFUSED,
        1,
        "There is already a ping from that URL for this post.",
    )
    assert len(wordpress.comments(target)) == 1


def test_a_trackback_to_a_closed_post_is_refused(wordpress: WordPress, fetch: Fetcher, target: Post) -> None:
    """F-18, F-21"""
    wordpress.close(target)
    reply = trackback(fetch, target, Claim("trackback", NOWHERE, "", title="Late"))
    assert (reply.outcome, reply.code) == (Outcome.REFUSED, 1)
    assert reply.detail == "Sorry, trackbacks are closed for this item."


def test_a_throttled_trackback_may_be_tried_again(wordpress: WordPress, fetch: Fetcher, target: Post) -> None:
    first, second = (Claim("trackback", f"{NOWHERE}/{number}", "", title=f"Note {number}") for number in (1, 2))
    assert trackback(fetch, target, first).outcome is Outcome.SENT
    with wordpress.setting("wpi_flood", 1):
        reply = trackback(fetch, target, second)
    assert (reply.outcome, reply.code) == (Outcome.FAILED, 429)


# WordPress -> linkback


@pytest.mark.parametrize("queue", [False, True], ids=["at once", "by wp-cron"])
def test_a_post_of_wordpress_that_links_to_ours_becomes_a_mention(
    wordpress: WordPress, blog: Blog, queue: bool
) -> None:
    """By wp-cron the ping comes from the web server that we then ask for the post (F-15, F-16)."""
    post = wordpress.publish("Birds & bees", linking_to(f"{blog.url}/post"), queue=queue)
    if queue:
        wordpress.cron()
    [mention] = eventually(lambda: blog.site.mentions(f"{blog.url}/post"))
    assert (mention.source, mention.target) == (post.url, f"{blog.url}/post")
    assert (mention.protocols, mention.status) == (("pingback",), Status.APPROVED)
    assert mention.title == "Birds & bees – WP Interop"
    assert mention.excerpt == "We walked far and read the first post of that blog on the way home."
    assert wordpress.post(post.url).pinged == (f"{blog.url}/post",)
    assert blog.requests.count(("POST", "/linkback/pingback")) == 1


def test_wordpress_has_its_answer_before_we_look_at_its_post(wordpress: WordPress, blog: Blog) -> None:
    """WordPress waits three seconds for an answer: nothing of ours may hold it up."""
    blog.fetch.go.clear()
    post = wordpress.publish("Held", linking_to(f"{blog.url}/post"))
    assert post.pinged == (f"{blog.url}/post",)
    assert blog.site.mentions(f"{blog.url}/post", statuses=None) == []
    blog.fetch.go.set()
    assert [mention.source for mention in eventually(lambda: blog.site.mentions(f"{blog.url}/post"))] == [post.url]


def test_an_edited_post_changes_nothing(wordpress: WordPress, blog: Blog) -> None:
    """A link that was told is not told again; its twin with a fragment is, and ends with our fault 48 (F-14, F-16)."""
    post = wordpress.publish("First version", linking_to(f"{blog.url}/post"))
    before = eventually(lambda: blog.site.mentions(f"{blog.url}/post"))
    edited = wordpress.update(post, linking_to(f"{blog.url}/post", f"{blog.url}/post#more"))
    blog.finish()
    assert blog.requests.count(("POST", "/linkback/pingback")) == 2
    assert edited.pinged == (f"{blog.url}/post", f"{blog.url}/post#more")
    assert blog.site.mentions(statuses=None) == before


@pytest.mark.parametrize("path", ["/no-post", "/closed"])
def test_a_page_that_takes_no_mentions_is_not_pinged(wordpress: WordPress, blog: Blog, path: str) -> None:
    post = wordpress.publish("A link to nothing", linking_to(blog.url + path))
    assert post.pinged == ()
    assert ("HEAD", path) in blog.requests
    assert not [path for method, path in blog.requests if method == "POST"]


def endpoint(blog: Blog, path: str) -> str:
    """The trackback URL of a page of ours."""
    return f"{blog.url}/linkback/trackback?target={quote(blog.url + path, safe='')}"


def test_a_pingback_and_a_trackback_of_one_link_are_one_mention(wordpress: WordPress, tmp_path: Path) -> None:
    with listening(tmp_path, External()) as blog:
        post = wordpress.publish("Two ways", linking_to(f"{blog.url}/post"), endpoint(blog, "/post"))
        assert post.to_ping == ()
        blog.site.drain()
        [mention] = blog.site.mentions(f"{blog.url}/post", statuses=None)
    assert (mention.source, mention.protocols) == (post.url, ("pingback", "trackback"))
    # the page's own words, as a pingback has no others
    assert mention.title == "Two ways – WP Interop"


def test_a_trackback_alone_is_shown_in_its_own_words(wordpress: WordPress, blog: Blog) -> None:
    """A post that links to the trackback URL itself proves its claim (protocols.md C-63), and cannot be a pingback."""
    post = wordpress.publish('Birds & "bees"', linking_to(endpoint(blog, "/other")), endpoint(blog, "/other"))
    blog.finish()
    [mention] = blog.site.mentions(f"{blog.url}/other", statuses=None)
    assert (mention.source, mention.protocols, mention.status) == (post.url, ("trackback",), Status.APPROVED)
    assert mention.title == "Birds & “bees”"
    assert mention.author == Author("WP Interop")
    assert mention.excerpt == "We walked far and read the first post of that blog on the way home."


def test_a_trackback_without_a_link_is_no_mention(wordpress: WordPress, blog: Blog) -> None:
    """F-17"""
    post = wordpress.publish("Only words", f"<p>{blog.url}</p>", endpoint(blog, "/post"))
    blog.finish()
    key = urls.pair_key(blog.site.url, post.url, f"{blog.url}/post")
    claim = blog.site.store.last_claim(key, "trackback")
    assert claim is not None
    assert (claim.state, claim.reason) == (ClaimState.FAILED, Reason.NO_BACKLINK)
    assert blog.site.mentions(statuses=None) == []


def shown(fetch: Fetcher, receiver: str, page: str) -> list[dict[str, Any]]:
    """What the JSON API shows for a page."""
    found: list[dict[str, Any]] = json.loads(fetch.get(f"{receiver}/mentions?target={quote(page, safe='')}").body)[
        "mentions"
    ]
    return found


def test_linkback_serve_receives_for_a_site_of_plain_files(
    wordpress: WordPress, fetch: Fetcher, tmp_path: Path
) -> None:
    """All that the site does itself is to name the endpoint: in a header, or to whoever writes a trackback."""
    signpost: list[tuple[str, str]] = []

    def files(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        headers = signpost if environ["PATH_INFO"] == "/signed.html" else []
        start_response("200 OK", [("Content-Type", "text/html"), *headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"<title>Ours</title>"]

    with served(files) as site, serve(site, tmp_path) as receiver:
        signed, plain = f"{site}/signed.html", f"{site}/plain.html"
        signpost.append(("X-Pingback", f"{receiver}/pingback"))
        post = wordpress.publish(
            "To the files", linking_to(signed, plain), f"{receiver}/trackback?target={quote(plain, safe='')}"
        )
        for ours, protocol in ((signed, "pingback"), (plain, "trackback")):
            [mention] = eventually(partial(shown, fetch, receiver, ours))
            assert (mention["source"], mention["status"]) == (post.url, "approved")
            assert mention["protocols"] == [protocol]
    code, listed = run("list", "--database", f"sqlite:///{tmp_path / 'serve.db'}")
    assert (code, [row["target"] for row in listed]) == (DONE, [signed, plain])
