// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The one tooltip.

const tip = document.getElementById("tip");

/** Show children beside the pointer, inside the window. */
export function showTip(event, children) {
  tip.replaceChildren(...children.filter(Boolean));
  tip.hidden = false;
  const [w, t] = [tip.offsetWidth, tip.offsetHeight];
  const left = event.clientX + 18 + w > innerWidth - 8 ? event.clientX - w - 18 : event.clientX + 18;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, Math.min(event.clientY - t - 8, innerHeight - t - 8))}px`;
}

export function hideTip() {
  tip.hidden = true;
}
