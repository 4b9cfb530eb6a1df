// Evidence beside what an article names, on hover and focus; switches that are remembered; copying.
"use strict";
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const STORE = "kinds-not-marked";

  const copy = async (button) => {
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => { button.textContent = words; }, 1200);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });

  let focusable = new Set();
  let titles = new Map();
  const kept = () => {
    try {
      const found = JSON.parse(localStorage.getItem(STORE) || "[]");
      return Array.isArray(found) ? found.map(String) : [];
    } catch {
      return [];
    }
  };
  const off = new Set(kept());
  const isOff = (mark) => off.has(mark.dataset.kind);
  const apply = () => {
    for (const mark of focusable) {
      if (isOff(mark)) mark.removeAttribute("tabindex");
      else mark.setAttribute("tabindex", "0");
    }
  };
  const remember = () => {
    try {
      localStorage.setItem(STORE, JSON.stringify([...off]));
    } catch {
      // A browser that keeps nothing still switches this page.
    }
  };
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches("[data-switch]")) return;
    if (box.checked) off.delete(box.dataset.switch);
    else off.add(box.dataset.switch);
    remember();
    apply();
  });

  const card = document.createElement("div");
  card.id = "card";
  card.className = "card";
  card.popover = "manual";
  card.setAttribute("role", "dialog");
  card.setAttribute("aria-label", "Evidence");
  document.body.append(card);
  let owner = null;
  let timer = 0;

  // Anew for each article that is opened, and whenever its body was written anew.
  const setUp = () => {
    hide();
    const marks = all("mark.m");
    focusable = new Set(marks.filter((mark) => mark.hasAttribute("tabindex")));
    titles = new Map(marks.map((mark) => [mark, mark.title || titles.get(mark) || ""]));
    for (const mark of marks) mark.removeAttribute("title");
    for (const mark of focusable) mark.setAttribute("aria-description", titles.get(mark));
    for (const box of all("[data-switch]")) box.checked = !off.has(box.dataset.switch);
    apply();
  };

  const content = (mark) => {
    const found = document.querySelector(`[data-evidence="${CSS.escape(mark.dataset.e)}"]`);
    if (found) {
      const copied = found.cloneNode(true);
      copied.removeAttribute("data-evidence");
      return copied;
    }
    const link = document.createElement("a");
    link.href = `/indicators/${encodeURIComponent(mark.dataset.e)}`;
    link.textContent = titles.get(mark);
    return link;
  };
  const place = (mark) => {
    const spot = mark.getClientRects()[0];
    if (!spot) return;
    const width = card.offsetWidth;
    const height = card.offsetHeight;
    const left = Math.max(8, Math.min(spot.left, innerWidth - width - 8));
    const below = spot.bottom + 6;
    const top = below + height <= innerHeight - 8 ? below : Math.max(8, spot.top - height - 6);
    card.style.left = `${left}px`;
    card.style.top = `${top}px`;
  };
  const show = (mark) => {
    clearTimeout(timer);
    if (owner === mark) return;
    owner = mark;
    card.replaceChildren(content(mark));
    if (!card.matches(":popover-open")) card.showPopover();
    place(mark);
  };
  const hide = () => {
    clearTimeout(timer);
    if (!owner) return;
    owner = null;
    card.hidePopover();
  };
  const later = (act, wait) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };
  const markAt = (target) => {
    let mark = target instanceof Element ? target.closest("mark.m") : null;
    while (mark && isOff(mark)) mark = mark.parentElement.closest("mark.m");
    return mark;
  };
  const isInside = (node) => node instanceof Node && card.contains(node);

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const mark = markAt(event.target);
    if (mark) later(() => show(mark), 150);
    else if (isInside(event.target)) clearTimeout(timer);
    else if (owner && !card.contains(document.activeElement) && owner !== document.activeElement) later(hide, 250);
  });
  document.addEventListener("focusin", (event) => {
    if (isInside(event.target)) return;
    const link = event.target.closest("a");
    const mark = markAt(event.target) || (link && markAt(link.querySelector("mark.m")));
    if (mark) show(mark);
    else hide();
  });
  document.addEventListener("click", (event) => {
    const mark = markAt(event.target);
    if (mark && !event.target.closest("a")) show(mark);
    else if (!mark && !isInside(event.target)) hide();
  });
  document.addEventListener("keydown", (event) => {
    if (!owner) return;
    if (event.key === "Escape") {
      const back = focusable.has(owner) ? owner : null;
      const wasInside = isInside(document.activeElement);
      hide();
      if (back && wasInside) {
        back.focus();
        hide();
      }
    } else if (event.key === "Enter" && event.target === owner) {
      const first = card.querySelector("a, button, select, input:not([type=hidden])");
      if (first) {
        event.preventDefault();
        first.focus();
      }
    }
  });
  document.addEventListener("scroll", (event) => {
    if (!owner || isInside(event.target)) return;
    const spot = owner.getBoundingClientRect();
    if (spot.bottom > 0 && spot.top < innerHeight) place(owner);
    else if (owner !== document.activeElement && !isInside(document.activeElement)) hide();
  }, { passive: true, capture: true });
  document.addEventListener("marks", setUp);
  setUp();
})();
