// Shows an answer while it comes. What a model or an article says is only ever set as text.
"use strict";
(() => {
  const form = document.querySelector("[data-ask]");
  if (!form || !window.ReadableStream) return;
  const place = (name) => document.querySelector(`[data-${name}]`);
  const [waiting, answer, mark, sentences, said, passages] =
    ["waiting", "answer", "made", "sentences", "said", "passages"].map(place);
  let asking = null;

  const made = (name, words, attributes = {}) => {
    const one = document.createElement(name);
    if (words) one.textContent = words;
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    return one;
  };
  const says = (...lines) => {
    said.replaceChildren(...lines.map((words) => made("p", words)));
    answer.hidden = false;
  };

  const tell = {
    passages(found) {
      const list = passages.querySelector("ol");
      list.replaceChildren(...found.map((one) => {
        const item = made("li", "", { id: `passage-${one.number}` });
        const name = made("p", "", { class: "name", dir: "auto" });
        name.append(made("a", one.title || "Untitled", { href: `/articles/${one.article}` }));
        const meta = made("p", "", { class: "meta" });
        meta.append(made("bdi", one.source), made("time", one.listed_at.slice(0, 10), { datetime: one.listed_at }));
        item.append(name, meta, made("blockquote", one.text, { dir: "auto" }));
        return item;
      }));
      passages.hidden = found.length === 0;
    },
    sentence(one) {
      const item = made("li");
      const link = made("a", `[${one.passage}]`, { href: `#passage-${one.passage}`, "aria-label": `Passage ${one.passage}` });
      const proof = made("blockquote", one.quote, { class: "proof", dir: "auto" });
      item.append(made("span", one.text, { dir: "auto" }), " ", link, proof);
      sentences.append(item);
      sentences.hidden = false;
      if (mark) mark.hidden = false;
      answer.hidden = false;
    },
    answer(end) { says(...end.said); },
    fault(end) { says(end.detail); },
  };

  const read = async (response) => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let ended = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const name = /^event: (\w+)$/m.exec(event);
        const data = /^data: (.*)$/m.exec(event);
        if (!name || !data || !Object.hasOwn(tell, name[1])) continue;
        tell[name[1]](JSON.parse(data[1]));
        ended ||= name[1] === "answer" || name[1] === "fault";
      }
    }
    if (!ended) says("The answer broke off; ask again.");
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    sentences.replaceChildren();
    said.replaceChildren();
    answer.hidden = passages.hidden = sentences.hidden = true;
    if (mark) mark.hidden = true;
    waiting.textContent = "Looking for an answer…";
    waiting.hidden = false;
    try {
      const body = new URLSearchParams(new FormData(form));
      const response = await fetch(form.dataset.ask, { method: "POST", body, signal: mine.signal });
      const type = response.headers.get("content-type") || "";
      if (response.ok && type.startsWith("text/event-stream")) await read(response);
      else form.submit();
    } catch (error) {
      if (!mine.signal.aborted) says("The server does not answer just now; ask again in a moment.");
    } finally {
      if (asking === mine) waiting.hidden = true;
    }
  });
})();
