// The secret of an address goes from behind its # into the form, and out of the address bar.
"use strict";
(() => {
  const label = document.querySelector("[data-fragment]");
  const secret = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!label || !secret) return;
  label.querySelector("input").value = secret;
  label.hidden = true;
  history.replaceState(null, "", location.pathname);
})();
