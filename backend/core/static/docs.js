// Sends what the documentation's forms say. Without this script the page shows commands to copy.
"use strict";

const LONGEST = 20000;
const tokenForm = document.getElementById("token-form");
const tokenField = tokenForm.elements.namedItem("token");
const tokenState = document.getElementById("docs-token-state");

tokenForm.hidden = false;
tokenForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(tokenForm));
  const response = await fetch("/api/auth/login", {
    method: "POST",
    credentials: "omit",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  const answer = await response.json();
  tokenField.value = response.ok ? answer.data.access_token : "";
  tokenState.textContent = response.ok
    ? `You have a token for ${Math.round(answer.data.expires_in / 60)} minutes.`
    : answer.detail;
});

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form).catch((error) => show(form, "No answer", String(error)));
  });
}

async function send(form) {
  const values = new FormData(form);
  const headers = { Accept: "application/json, */*;q=0.5" };
  if (tokenField.value.trim()) headers.Authorization = `Bearer ${tokenField.value.trim()}`;
  const options = { method: form.dataset.method, headers, credentials: "omit" };
  if (values.has("body")) {
    headers["Content-Type"] = form.dataset.type;
    options.body = values.get("body");
  }
  const response = await fetch(values.get("address"), options);
  const text = await response.text();
  const kind = response.headers.get("Content-Type") ?? "no body";
  show(form, `${response.status} ${response.statusText} · ${kind}`, pretty(text, kind));
}

function pretty(text, kind) {
  const shown = kind.includes("json") && !kind.includes("ndjson")
    ? JSON.stringify(JSON.parse(text), null, 2)
    : text;
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}\n… and more` : shown;
}

function show(form, status, text) {
  const heading = document.createElement("p");
  heading.className = "hint";
  heading.textContent = status;
  const body = document.createElement("pre");
  body.className = "raw";
  body.tabIndex = 0;
  body.textContent = text;
  form.querySelector("output").replaceChildren(heading, body);
}

// An address with a part of the page opens that part.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
