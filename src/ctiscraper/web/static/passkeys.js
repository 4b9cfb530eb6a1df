// Passkeys: the browser makes one, or logs in with one, and a form takes what it says.
"use strict";
(() => {
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  form.hidden = !window.PublicKeyCredential;
  if (form.hidden) return;
  const said = form.querySelector("[data-said]");

  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (char) => char.charCodeAt(0));
  };
  const words = (buffer) => {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const named = (list) => (list || []).map((key) => ({ ...key, id: bytes(key.id) }));

  const options = async () => {
    const headers = { "x-csrf-token": form.elements.csrf.value };
    const answer = await fetch(form.dataset.options, { method: "POST", headers });
    if (!answer.ok) throw new Error("the program did not answer; load the page again");
    const given = await answer.json();
    given.challenge = bytes(given.challenge);
    if (given.user) given.user.id = bytes(given.user.id);
    given.excludeCredentials = named(given.excludeCredentials);
    given.allowCredentials = named(given.allowCredentials);
    return given;
  };

  const told = (credential) => {
    const { response } = credential;
    const parts = { clientDataJSON: words(response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[name]) parts[name] = words(response[name]);
    }
    return JSON.stringify({
      id: credential.id,
      rawId: words(credential.rawId),
      type: credential.type,
      response: parts,
    });
  };

  const isAddress = /^[\d.]+$|^\[/.test(location.hostname);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isAddress) {
      said.textContent = "Passkeys belong to a name, and this is an address of numbers. On this machine, open "
        + `${location.protocol}//localhost:${location.port}`;
      return;
    }
    said.textContent = "";
    try {
      const publicKey = await options();
      const credential = form.dataset.passkey === "new"
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey });
      form.elements.credential.value = told(credential);
      form.submit();
    } catch (error) {
      const refused = error.name === "NotAllowedError" || error.name === "InvalidStateError";
      said.textContent = refused ? "No passkey was given." : `That did not work: ${error.message}`;
    }
  });
})();
