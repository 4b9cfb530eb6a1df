// What happens while a page is open: a calm line for new articles, and bars for long work.
// Every page says all of it when it is loaded again; this only saves the asking.
"use strict";
(() => {
  const line = document.querySelector("[data-live=articles]");
  const bars = document.querySelector("[data-live=work]");
  if (!line && !bars) return;

  const words = { sources: "Sources read for the first time", items: "Collecting", texts: "Looking through texts" };
  const number = (value) => value.toLocaleString("en");
  const made = (name, text = "") => {
    const element = document.createElement(name);
    element.textContent = text;
    return element;
  };

  let fresh = 0;
  const showArticles = (added) => {
    if (!line || !added) return;
    fresh += added;
    let link = line.querySelector("a");
    if (!link) {
      link = made("a");
      // The newest stand on the first page, whatever page of the list is read just now.
      link.href = line.dataset.here;
      line.replaceChildren(link);
      line.hidden = false;
    }
    link.textContent = `${number(fresh)} new ${fresh === 1 ? "article" : "articles"}`;
  };

  const showWork = (works) => {
    if (!bars) return;
    const shown = new Map(Array.from(bars.children, (bar) => [bar.dataset.work, bar]));
    for (const [name, bar] of shown) {
      if (!works.some((work) => work.name === name)) bar.remove();
    }
    for (const work of works) {
      let bar = shown.get(work.name);
      if (!bar) {
        bar = made("label");
        bar.dataset.work = work.name;
        bar.append(made("span", words[work.name] || work.name), made("progress"), made("span"));
        bars.append(bar);
      }
      const [, progress, count] = bar.children;
      progress.max = work.total;
      progress.value = work.done;
      count.textContent = `${number(work.done)} of ${number(work.total)}`;
    }
  };

  let source = null;
  let last = "";
  const listen = () => {
    if (source) return;
    source = new EventSource(last ? `/api/v1/events?after=${last}` : "/api/v1/events");
    source.addEventListener("articles", (event) => {
      last = event.lastEventId;
      showArticles(JSON.parse(event.data).added);
    });
    source.addEventListener("work", (event) => showWork(JSON.parse(event.data).works));
    // The session is over: what is shown stays, and the next step leads to the login.
    source.addEventListener("end", () => hush());
  };
  const hush = () => {
    if (source) source.close();
    source = null;
  };
  // A browser has few connections to one host: pages that nobody sees take none.
  const follow = () => (document.hidden ? hush() : listen());
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", hush);
  addEventListener("pageshow", follow);
  follow();
})();
