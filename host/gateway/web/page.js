// Says whether this browser is let in, and by whom it is answered.
"use strict";

const state = document.getElementById("state");

fetch("/api/v1/status")
  .then((answer) => answer.json())
  .then(({ user, settings, error }) => {
    state.textContent = error
      ? `${error.message} Run \`hydroid web\` for a link.`
      : `${user}, ${settings.model} of ${settings.provider} answers.`;
  })
  .catch(() => {
    state.textContent = "The host does not answer.";
  });
