// The desk: articles open beside the list, and forms answer without another page.
"use strict";
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const one = (selector, within = document) => within.querySelector(selector);
  const wide = matchMedia("(min-width: 70rem)");
  const pane = one("#pane");
  const toast = one("#toast");
  const csrf = () => (one("input[name=csrf]") || {}).value || "";

  // An answer as a document of its own: nothing of it runs, and its parts are taken over as nodes.
  const send = (method, address, body) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.responseType = "document";
    if (body) {
      request.setRequestHeader("content-type", "application/x-www-form-urlencoded");
      request.setRequestHeader("x-csrf-token", csrf());
    }
    request.onload = () => resolve({ answer: request.response, address: request.responseURL, status: request.status });
    request.onerror = () => reject(new Error("The server does not answer."));
    request.send(body ? body.toString() : null);
  });
  const ask = async (method, address, body) => {
    let found = await send(method, address, body);
    if (found.status === 403 && body && await renew()) found = await send(method, address, body);
    if (isLogin(found)) throw new Error("Your session has ended. Log in in another tab and try again: what you typed stays here.");
    if (found.status >= 400 || !found.answer) throw new Error(problem(found.answer, found.status));
    return found;
  };
  const isLogin = (found) => found.status === 401 || Boolean(found.address) && new URL(found.address).pathname === "/login";
  // Whoever logged in anew in another tab has another token there.
  const renew = async () => {
    const found = await send("GET", location.pathname + location.search);
    const field = found.status < 400 && !isLogin(found) && found.answer && one("input[name=csrf]", found.answer);
    if (!field || field.value === csrf()) return false;
    for (const old of all("input[name=csrf]")) old.value = field.value;
    return true;
  };
  const problem = (answer, status) => {
    const said = answer && (one("[role=alert]", answer) || one(".error p:not(.status)", answer));
    const fields = answer ? all(".error li", answer).map((item) => item.textContent.trim()) : [];
    return [said ? said.textContent.trim() : `It was refused (${status}).`, ...fields].join(" ");
  };
  const adopt = (nodes) => nodes.map((node) => document.importNode(node, true));
  const say = (words) => {
    const line = document.createElement("p");
    line.textContent = words;
    toast.replaceChildren(line);
  };

  const rowOf = (id) => document.getElementById(`a-${id}`);
  const classesOf = ["is-read", "is-unread", "is-new", "is-starred", "is-new", "is-review", "is-done", "is-ignored"];
  const takeRows = (answer) => {
    for (const found of all("[data-row]", answer)) {
      const row = rowOf(found.dataset.row);
      if (!row) continue;
      row.classList.remove(...classesOf);
      row.classList.add(...found.classList);
      one("[data-status]", row).textContent = one("[data-status]", found).textContent;
      takeParts(found, row);
    }
    takeParts(answer, document, "triage-");
    takeToast(answer);
  };
  const takeParts = (from, into, beginning = "") => {
    const at = document.activeElement;
    for (const part of all("[data-part]", from).filter((found) => found.dataset.part.startsWith(beginning))) {
      for (const old of all(`[data-part="${CSS.escape(part.dataset.part)}"]`, into)) {
        const had = old.contains(at) ? at : null;
        const fresh = adopt([part])[0];
        if (old.matches(".chips, .acts")) old.replaceChildren(...fresh.childNodes);
        else old.replaceWith(fresh);
        if (had) refocus(had, old.isConnected ? old : fresh);
      }
    }
  };
  const refocus = (had, within) => {
    const same = had.dataset.act ? `[data-act="${had.dataset.act}"]` : had.name ? `[name="${had.name}"]` : "button";
    const values = all(same, within);
    const next = values.find((field) => field.value === had.value) || values[0];
    if (next) next.focus({ preventScroll: true });
  };
  const takeToast = (answer) => {
    const said = one("#toast", answer);
    if (said) toast.replaceChildren(...adopt(Array.from(said.childNodes)));
  };

  const shownOn = () => all("li[data-article]").map((row) => row.dataset.article);
  const shownBy = (form, fields) => {
    if (form.dataset.shown) return [form.dataset.shown];
    const single = fields.get("one");
    if (single) return [single.split(" ")[1]];
    if (fields.get("whole") || fields.get("change") || fields.get("act") === "everything") {
      const open = one(".beside[data-shown]");
      return shownOn().length ? shownOn() : open ? [open.dataset.shown] : [];
    }
    return fields.getAll("articles");
  };
  const change = async (action, fields, shown) => {
    fields.set("part", "1");
    fields.set("shown", shown.slice(0, 200).join(","));
    fields.delete("csrf");
    try {
      takeRows((await ask("POST", action, fields)).answer);
      return true;
    } catch (error) {
      say(error.message);
      return false;
    }
  };
  const act = (action, fields, ids) => {
    const sent = new URLSearchParams(fields);
    for (const id of ids) if (!sent.has("one")) sent.append("articles", id);
    return change(action, sent, ids);
  };

  const unfold = (thing) => {
    for (let fold = thing && one("details", thing); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  };
  // Notes, marked words, verdicts: the page of the article comes back, and its parts are put in place.
  const write = async (form, action, fields) => {
    fields.delete("csrf");
    const isCard = Boolean(form.closest("#card"));
    const unfolded = all(".thing > details[open]").map((fold) => fold.parentElement.id);
    try {
      const { answer, address } = await ask("POST", action, fields);
      const page = one(".beside", answer);
      if (!page) {
        location.assign(address);
        return false;
      }
      const part = form.closest("[data-part]");
      const isInside = form.contains(document.activeElement) && part && part.dataset.part;
      for (const name of ["body", "named", "models", "notes", "highlights"]) {
        const fresh = one(`[data-part="${name}"]`, page);
        const old = one(`.beside [data-part="${name}"]`);
        if (fresh && old) old.replaceWith(...adopt([fresh]));
      }
      document.dispatchEvent(new Event("marks"));
      say(told(action));
      for (const id of unfolded) unfold(document.getElementById(id));
      const entity = fields.get("entity");
      const at = entity && (isCard && one(`mark.m[tabindex][data-e="${CSS.escape(entity)}"]`)
        || one(`#e-${CSS.escape(entity)} summary`));
      if (at) at.focus({ preventScroll: true });
      else if (isInside) settleIn(isInside);
      return true;
    } catch (error) {
      say(error.message);
      return false;
    }
  };
  const told = (action) => action.endsWith("/undo") ? "Undone." : action.endsWith("/remove") ? "Removed." : action.endsWith("/cancel") ? "Cancelled." : /\/(analyses|retry)$/.test(action) ? "Asked." : "Kept.";
  // The form is gone with what was typed: whoever was in it goes on at its heading, with no key in between.
  const settleIn = (name) => {
    const title = one(`.beside [data-part="${name}"] h2`);
    if (!title) return;
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.dataset.quick === undefined) return;
    const button = event.submitter;
    const fields = new URLSearchParams(new FormData(form, button));
    const action = (button && button.getAttribute("formaction")) || form.getAttribute("action");
    event.preventDefault();
    if (form.dataset.quick === "parts") {
      if (await write(form, action, fields)) form.reset();
      return;
    }
    const isList = form.dataset.list !== undefined;
    const shown = shownBy(form, fields);
    if (fields.get("one")) fields.delete("articles");
    if (await change(action, fields, shown) && isList && !fields.get("one")) unchoose();
  });

  const boxes = () => all("#bulk input[name=articles]");
  const chosen = () => boxes().filter((box) => box.checked);
  const count = () => {
    const told = one("[data-count]");
    const number = chosen().length;
    if (told) told.textContent = number ? `${number} chosen:` : "";
  };
  // The bar goes with the last choice: the focus that was in it goes back to the list.
  const unchoose = () => {
    const [first] = chosen();
    const at = document.activeElement;
    const isLost = at === document.body || Boolean(at.closest(".bulk"));
    if (first && isLost) one("[data-open]", first.closest("[data-article]")).focus({ preventScroll: true });
    for (const box of chosen()) box.checked = false;
    const whole = one("#bulk input[name=whole]");
    if (whole) whole.checked = false;
    count();
  };
  document.addEventListener("change", (event) => {
    if (event.target.name !== "articles") return;
    const row = event.target.closest(".item");
    if (row && event.target.closest("[data-item]") === row) {
      for (const box of all(".same input[name=articles]", row)) box.checked = event.target.checked;
    }
    count();
  });

  // The pane.
  let open = null;
  const isDesk = () => Boolean(pane) && wide.matches;
  const fill = (page, id) => {
    const tools = document.createElement("p");
    tools.className = "pane-tools";
    const link = document.createElement("a");
    link.href = `/articles/${id}`;
    link.textContent = "On its own page";
    const shut = document.createElement("button");
    shut.type = "button";
    shut.textContent = "Close";
    shut.addEventListener("click", close);
    tools.append(link, shut);
    for (const old of all(":scope > :not([data-rest])", pane)) old.remove();
    const fresh = adopt([page])[0];
    const title = one("h1", fresh);
    if (title) {
      const lower = document.createElement("h2");
      lower.className = "title";
      for (const name of ["dir", "lang"]) if (title.hasAttribute(name)) lower.setAttribute(name, title.getAttribute(name));
      lower.append(...title.childNodes);
      title.replaceWith(lower);
    }
    pane.append(tools, fresh);
    pane.classList.add("is-full");
    pane.scrollTop = 0;
    document.dispatchEvent(new Event("marks"));
  };
  const show = async (link) => {
    const row = link.closest("[data-article]");
    const id = row.dataset.article;
    open = id;
    for (const old of all(".is-open")) old.classList.remove("is-open");
    row.classList.add("is-open");
    row.scrollIntoView({ block: "nearest" });
    pane.setAttribute("aria-busy", "true");
    try {
      const { answer } = await ask("GET", link.href);
      if (open !== id) return;
      const page = one(".beside", answer);
      if (!page) {
        location.assign(link.href);
        return;
      }
      fill(page, id);
      settle(row);
      history.replaceState(history.state, "", `#open-${id}`);
    } catch (error) {
      say(error.message);
    } finally {
      pane.removeAttribute("aria-busy");
    }
  };
  const settle = (row) => {
    row.classList.remove("is-unread");
    row.classList.add("is-read");
    one("[data-status]", row).textContent = "";
    const button = one(`:scope > .acts [data-act="read"]`, row);
    if (!button) return;
    button.value = `unread ${row.dataset.article}`;
    button.classList.remove("on");
    button.title = "Mark as unread (m)";
    one(".unseen", button).textContent = "Mark as unread";
  };
  const close = () => {
    if (!open) return false;
    for (const old of all(":scope > :not([data-rest])", pane)) old.remove();
    pane.classList.remove("is-full");
    const row = rowOf(open);
    open = null;
    for (const old of all(".is-open")) old.classList.remove("is-open");
    history.replaceState(history.state, "", location.pathname + location.search);
    const link = row && one("[data-open]", row);
    if (link) link.focus();
    return true;
  };
  if (pane) {
    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-open]");
      const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
      if (!link || !plain || !isDesk() || event.defaultPrevented) return;
      event.preventDefault();
      link.focus({ preventScroll: true });
      show(link);
    });
    const asked = /^#open-(\d+)$/.exec(location.hash);
    const row = asked && rowOf(asked[1]);
    if (row && isDesk()) show(one("[data-open]", row));
  }

  // Words that are selected, with what stands around them.
  const around = 120;
  const mark = () => {
    const form = one("[data-mark]");
    const selection = getSelection();
    if (!form || !selection.rangeCount || selection.isCollapsed) return false;
    const range = selection.getRangeAt(0);
    const body = one(".beside .body");
    if (!body || !body.contains(range.commonAncestorContainer)) return false;
    const before = document.createRange();
    before.setStart(body, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const after = document.createRange();
    after.setStart(range.endContainer, range.endOffset);
    after.setEnd(body, body.childNodes.length);
    const fields = new URLSearchParams({
      revision: form.elements.revision.value,
      words: range.toString(),
      before: before.toString().slice(-around),
      after: after.toString().slice(0, around),
    });
    selection.removeAllRanges();
    write(form, form.getAttribute("action"), fields);
    return true;
  };

  // What keys ask for; keys.js has the keyboard.
  const current = () => {
    const focused = document.activeElement.closest("[data-article]");
    const id = focused ? focused.dataset.article : open || (one(".reader[data-article]") || { dataset: {} }).dataset.article;
    return id || null;
  };
  const press = (name) => {
    const id = current();
    if (!id) return false;
    const button = one(`[data-part="acts-${id}"] [data-act="${name}"]`) || one(`[data-part="triage-${id}"] [data-act="${name}"]`);
    if (!button) return false;
    act("/reading", { one: button.value }, [id]);
    return true;
  };
  const meant = () => {
    const ids = chosen().map((box) => box.value);
    const id = current();
    return ids.length ? ids : id ? [id] : [];
  };
  const dialogOf = (name, send) => () => {
    const dialog = one(name);
    const ids = meant();
    if (!dialog || !ids.length) return false;
    const back = document.activeElement;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue) send(dialog, ids).then((done) => { if (done) unchoose(); });
      if (back.isConnected) back.focus();
    }, { once: true });
    dialog.showModal();
    return true;
  };
  const states = one("#state-dialog");
  if (states) {
    states.addEventListener("keydown", (event) => {
      const button = all("button[value]:not([value=''])", states)[Number(event.key) - 1];
      if (button) {
        event.preventDefault();
        button.click();
      }
    });
  }
  const choose = () => {
    const row = document.activeElement.closest("[data-article]");
    const box = row && one(":scope > .choose input", row);
    if (box) box.click();
    return Boolean(box);
  };
  const undo = () => {
    const button = one("#toast [data-undo]");
    if (button) button.click();
    return Boolean(button);
  };
  window.reader = {
    star: () => press("star"),
    read: () => press("read"),
    state: dialogOf("#state-dialog", (dialog, ids) => act("/triage", { act: "state", state: dialog.returnValue }, ids)),
    tag: dialogOf("#tag-dialog", (dialog, ids) => {
      const field = one("input", dialog);
      const tag = field.value;
      field.value = "";
      return act("/triage", { act: dialog.returnValue, tag }, ids);
    }),
    everything: () => {
      const button = one("[data-everything] button");
      if (button) button.click();
      return Boolean(button);
    },
    choose, undo, mark, close,
    isOpen: () => open !== null,
  };
})();
