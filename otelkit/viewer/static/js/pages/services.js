// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// All services; with a name: which action, how bad, show me one.

import { serviceTable } from "../rows.js";

export const title = () => "Services";
export const compared = true;
export const path = (_at, context) => ({ path: "services", parameters: { columns: context.narrow() ? 45 : 90 } });

export function draw(data, context) {
  return {
    title: "Services",
    verdict: [data.headline.text, data.headline.note].filter(Boolean).join(", "),
    children: [data.services.length ? serviceTable(data.services, context, "All services") : { nothing: "services", text: "No service has sent anything yet." }],
  };
}

