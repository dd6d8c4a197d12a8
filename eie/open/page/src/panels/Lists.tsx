/** The lists of groups and of what was done. */

import { X } from "lucide";
import { afterEdits, redo, ungroup, undo } from "../actions/editing";
import { selectGroup } from "../actions/selecting";
import { stepsOf } from "../core/history";
import { doc } from "../store";
import { Button } from "./Button";

export function GroupList() {
  const groups = Object.entries(doc.value?.groups ?? {});
  return (
    <section class="panel" aria-labelledby="groups-title">
      <h2 id="groups-title">Groups</h2>
      {groups.length === 0 && <p class="muted">None. Select something and give it a name.</p>}
      <ul class="list">
        {groups.map(([name, ids]) => (
          <li key={name}>
            <button type="button" class="item" onClick={() => afterEdits(() => selectGroup(name))}>
              <span class="item-name">{name}</span>
              <span class="muted">{ids.length === 1 ? "1 element" : `${ids.length} elements`}</span>
            </button>
            <Button name={`Forget the group ${name}`} icon={X} kind="quiet" onClick={() => ungroup(name)} />
          </li>
        ))}
      </ul>
    </section>
  );
}

export function HistoryList() {
  const done = stepsOf(doc.value?.history ?? []);
  const undone = stepsOf([...(doc.value?.undone ?? [])]);
  return (
    <section class="panel" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      <ol class="list history">
        <li>
          <button
            type="button"
            class="item"
            aria-current={done.length === 0 ? "step" : undefined}
            disabled={done.length === 0}
            onClick={() => void undo(done.length)}
          >
            <span class="item-name">The photo</span>
          </button>
        </li>
        {done.map((step, index) => {
          const last = index === done.length - 1;
          return (
            <li key={index}>
              <button
                type="button"
                class="item"
                title={step.text}
                aria-current={last ? "step" : undefined}
                disabled={last}
                onClick={() => void undo(done.length - 1 - index)}
              >
                <span class="item-name">{step.title}</span>
                <code class="muted">{step.text}</code>
              </button>
            </li>
          );
        })}
        {undone.map((step, index) => (
          <li key={`undone ${index}`}>
            <button
              type="button"
              class="item undone"
              title={`Do again: ${step.text}`}
              onClick={() => void redo(index + 1)}
            >
              <span class="item-name">{step.title}</span>
              <code class="muted">{step.text}</code>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
