/* Draws the thread of a page: <div data-linkback-thread="PAGE"></div>
   <script src="https://bob.example/linkback/linkback.js" defer></script>

   Rule: what strangers wrote becomes text nodes, never markup, and a link or picture leads to http(s). The list is the
   one that the templates draw. Where the answer fails, the container stays as it is.

   On the container: data-linkback-thread, the page (else its canonical URL); data-api, where linkback is served (else
   where this script is); data-photos, to load authors' pictures from where they are. */
(function () {
  "use strict";
  var script = document.currentScript || document.querySelector('script[src*="linkback.js"]');
  var warned = false;

  function warn(error) {
    if (!warned) console.warn("linkback: the thread could not be loaded:", String(error));
    warned = true;
  }

  function el(name, attributes, children) {
    var element = document.createElement(name);
    Object.keys(attributes).forEach(function (key) {
      if (attributes[key] !== null) element.setAttribute(key, attributes[key]);
    });
    element.append.apply(element, (children || []).filter(Boolean));
    return element;
  }

  function web(address) {
    try {
      return /^https?:$/.test(new URL(address).protocol) ? address : null;
    } catch (error) {
      return null;
    }
  }

  function link(address, children) {
    var attributes = { class: "u-url", rel: "nofollow ugc noopener noreferrer", "data-linkback": "no", href: web(address) };
    return attributes.href ? [el("a", attributes, children)] : children;
  }

  function name(text) {
    return el("bdi", { class: "p-name" }, [text]);
  }

  function picture(author, size, photos) {
    var address = photos && web(author.photo);
    return address && el("img", {
      class: "u-photo", loading: "lazy", referrerpolicy: "no-referrer", alt: "", width: size, height: size, src: address
    });
  }

  function face(entry, kind, photos) {
    var initials = el("span", { class: "linkback-initials", "aria-hidden": "true" }, [entry.initials]);
    var card = [picture(entry.author, 32, photos) || initials, " ", name(entry.name)];
    return el("li", { class: "linkback-face u-" + kind + " h-cite", id: entry.id || null },
      link(entry.url, [el("span", { class: "p-author h-card" }, card)]));
  }

  function facepile(group, photos) {
    return el("div", { class: "linkback-faces linkback-" + group.kind + "s" }, [
      el("h3", {}, [group.heading]),
      el("ul", {}, group.entries.map(function (entry) { return face(entry, group.kind, photos); }))
    ]);
  }

  function pictured(author, photos, rest) {
    var image = picture(author, 24, photos);
    return image ? [image, " "].concat(rest) : rest;
  }

  function head(entry, photos) {
    var author = entry.author;
    var called = name(entry.name);
    if (entry.personal) called = el("span", { class: "p-author h-card" }, pictured(author, photos, [called]));
    var by = author.name && !entry.personal && el("span", { class: "linkback-by p-author h-card" },
      pictured(author, photos, link(author.url, [name(author.name)])));
    var time = el("time", { class: "dt-published", datetime: entry.time }, [entry.shown_time]);
    var when = { class: "linkback-when u-url", "data-linkback": "no", href: "#" + entry.id };
    return el("div", { class: "linkback-head" }, [
      el("strong", {}, [entry.before].concat(link(entry.url, [called]), entry.after)),
      " ", by, by && " ", entry.id ? el("a", when, [time]) : time
    ]);
  }

  function item(entry, photos) {
    return el("li", { class: "linkback-entry linkback-" + entry.kind + " u-comment h-cite", id: entry.id || null }, [
      head(entry, photos),
      entry.title && el("p", { class: "linkback-title p-name", dir: "auto" }, [entry.title]),
      entry.excerpt && el("p", { class: "linkback-excerpt p-content", dir: "auto" }, [entry.excerpt])
    ]);
  }

  function drawn(thread, photos) {
    var parts = [el("h2", {}, [thread.heading])];
    thread.faces.forEach(function (group) { parts.push(facepile(group, photos)); });
    var items = thread.entries.map(function (entry) { return item(entry, photos); });
    if (items.length) parts.push(el("ol", { class: "linkback-entries" }, items));
    return el("section", {
      class: "linkback-thread", lang: thread.language, dir: thread.dir, "aria-label": thread.heading,
      "data-linkback": "no"
    }, parts);
  }

  function show(container, thread) {
    var section = drawn(thread, container.hasAttribute("data-photos"));
    container.replaceChildren.apply(container, thread.count ? [section] : []);
    // the browser looked for the entry that the page's address names before there was one
    var wanted = location.hash && document.getElementById(location.hash.slice(1));
    if (wanted && container.contains(wanted)) wanted.scrollIntoView();
  }

  function load(container) {
    var canonical = document.querySelector('link[rel~="canonical"]');
    var target = container.getAttribute("data-linkback-thread") || (canonical && canonical.href) || "";
    var spoken = container.closest("[lang]");
    var base = container.getAttribute("data-api") || script.getAttribute("data-api") || new URL(".", script.src).href;
    var address = new URL("thread", new URL(base.replace(/\/*$/, "/"), location.href));
    address.searchParams.set("target", new URL(target, location.href).href.split("#")[0]);
    if (spoken && spoken.lang) address.searchParams.set("lang", spoken.lang);
    return fetch(address.href, { credentials: "omit" }).then(function (answer) {
      if (!answer.ok) throw new Error("the server answered " + answer.status);
      return answer.json();
    }).then(function (thread) { show(container, thread); });
  }

  document.querySelectorAll("[data-linkback-thread]").forEach(function (container) {
    Promise.resolve(container).then(load).catch(warn);
  });
})();
