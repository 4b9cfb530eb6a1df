// What a model is asked about an open article comes in by itself; loading the page again says as much.
"use strict";
(() => {
  const pause = 2500;
  const part = (name, within) => within.querySelector(`[data-part="${name}"]`);
  const load = (address) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.onload = () => (request.status < 400 && request.response ? resolve(request.response) : reject(new Error(String(request.status))));
    request.onerror = () => reject(new Error("away"));
    request.send();
  });
  const put = (name, page) => {
    const fresh = part(name, page);
    const old = document.querySelector(`.beside [data-part="${name}"], .detect [data-part="${name}"]`);
    if (fresh && old) old.replaceWith(document.importNode(fresh, true));
  };
  // Whoever types or chooses in it is not disturbed.
  const isInUse = (section) => section.contains(document.activeElement);
  const look = async () => {
    const section = document.querySelector(".by-model[data-busy]");
    if (!section || document.hidden || isInUse(section)) return;
    try {
      const page = await load(section.dataset.busy);
      if (!section.isConnected || isInUse(section)) return;
      const fresh = part("models", page);
      if (!fresh || fresh.innerHTML === section.innerHTML) return;
      put("models", page);
      // New quotations have their places in the text.
      if (fresh.querySelectorAll("blockquote").length !== section.querySelectorAll("blockquote").length) {
        put("body", page);
        document.dispatchEvent(new Event("marks"));
      }
    } catch {
      // It is asked again in a moment.
    }
  };
  setInterval(look, pause);
})();
