// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// All services; with a name: which action, how bad, show me one.

import { serviceTable } from "../rows.js";
import { nothingOfKind } from "../states.js";

export const title = () => "Services";
export const choose = (at) => (at.name ? import("./service.js") : null);
export const path = (_at, context) => ({ path: "services", parameters: { columns: context.narrow() ? 45 : 90 } });

export function draw(data, context) {
  return {
    title: "Services",
    verdict: [data.headline.text, data.headline.note].filter(Boolean).join(", "),
    children: [data.services.length ? serviceTable(data.services, context.narrow(), "All services") : nothingOfKind("services", "No service has sent anything yet.")],
  };
}

