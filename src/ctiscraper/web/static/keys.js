// Keys for readers who keep their hands on the keyboard; every page works without this.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("has-script");
  // On a phone the way to the pages scrolls: where the reader is stays in sight.
  const here = document.querySelector(".top nav [aria-current]");
  if (here) {
    const nav = here.parentElement;
    nav.scrollLeft = here.offsetLeft - nav.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
  }

  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);
  const follow = (selector) => {
    const link = one(selector);
    if (link) link.click();
    return Boolean(link);
  };

  const openers = () => all("[data-item] [data-open]");
  const reader = () => window.reader || {};
  const ask = (name) => () => Boolean(reader()[name]) && reader()[name]();
  // Where an article is open beside the list, the next one opens there.
  const step = (by) => {
    const done = walk(by);
    const at = document.activeElement;
    if (done && ask("isOpen")() && at.matches("[data-open]")) at.click();
    return done;
  };
  const walk = (by) => {
    const links = openers();
    if (!links.length) return follow(by > 0 ? "[data-following]" : "[data-previous]");
    const row = document.activeElement.closest("[data-item]") || one(".is-open");
    const current = row ? links.indexOf(row.querySelector("[data-open]")) : -1;
    if (current < 0) {
      const seen = links.findIndex((link) => link.getBoundingClientRect().top > 60);
      focusOn(links[seen < 0 ? 0 : seen]);
    } else if (links[current + by]) {
      focusOn(links[current + by]);
    } else if (by > 0) {
      follow("[data-next]");
    }
    return true;
  };
  const focusOn = (link) => {
    link.focus({ preventScroll: true });
    link.closest("[data-item]").scrollIntoView({ block: "center" });
  };
  const mark = () => {
    const marks = all("mark.m[tabindex='0']");
    const at = document.activeElement;
    const isAfter = (one) => at.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING;
    const next = at.closest(".body") ? marks.find(isAfter) || marks[0] : marks[0];
    if (next) next.focus();
    return Boolean(next);
  };
  const open = () => {
    const links = openers();
    const link = links.includes(document.activeElement) ? document.activeElement : null;
    if (link) link.click();
    return Boolean(link);
  };
  const search = () => {
    const field = one(".search input");
    field.focus();
    field.select();
    return true;
  };
  const help = () => {
    const dialog = one("#keys");
    if (dialog.open) dialog.close();
    else dialog.showModal();
    return true;
  };
  const go = (address) => {
    location.assign(address);
    return true;
  };

  const keys = {
    j: () => step(1),
    k: () => step(-1),
    o: open,
    s: ask("star"),
    m: ask("read"),
    e: ask("state"),
    t: ask("tag"),
    x: ask("choose"),
    h: ask("mark"),
    z: ask("undo"),
    A: ask("everything"),
    u: () => ask("close")() || follow("[data-back]"),
    v: () => follow("[data-leave] a"),
    n: () => follow("[data-next], [data-following]"),
    i: () => mark(),
    "/": search,
    "?": help,
  };
  const places = {
    d: "/dashboard", h: "/", i: "/indicators", t: "/techniques", y: "/stories", e: "/detections", s: "/sources", w: "/watchlist",
    a: "/accounting", o: "/operations",
  };
  let going = 0;

  const isTyping = (target) =>
    target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const dialog = one("dialog[open]");
    if (dialog && (dialog.id !== "keys" || event.key !== "?")) return;
    const place = places[event.key];
    const isGoing = Date.now() - going < 1500;
    going = 0;
    if (isGoing && place) {
      event.preventDefault();
      go(place);
    } else if (event.key === "g") {
      going = Date.now();
    } else if (Object.hasOwn(keys, event.key) && keys[event.key]()) {
      event.preventDefault();
    }
  });

  const tickAll = one("[data-all]");
  if (tickAll) {
    tickAll.addEventListener("change", () => {
      for (const box of all("input[name=ids]")) box.checked = tickAll.checked;
    });
  }
})();
