/** Saving: the format, and the command line that makes the same file. */

import { Check, Copy, Download } from "lucide";
import { useState } from "preact/hooks";
import {
  command,
  copyCommand,
  format,
  FORMATS,
  hasQuality,
  isPicture,
  quality,
  save,
} from "../actions/saving";
import { showCurrent } from "../actions/showing";
import { inLines } from "../core/command";
import { offered } from "../core/decoders";
import { decoder, isEdited, saveOpen, seed, workspace } from "../store";
import { Button } from "./Button";
import { Dialog } from "./Dialog";

export function Save() {
  const close = () => (saveOpen.value = false);
  return (
    <Dialog title="Save" onClose={close}>
      <fieldset class="formats">
        <legend class="unseen">Format</legend>
        {FORMATS.map((each) => (
          <label key={each.name} class="format">
            <input
              type="radio"
              name="format"
              checked={format.value === each.name}
              onChange={() => (format.value = each.name)}
            />
            <span class="format-title">{each.title}</span>
            <span class="muted">{each.about}</span>
          </label>
        ))}
      </fieldset>
      {hasQuality.value && (
        <label class="field">
          <span class="field-name">
            Quality <b>{quality.value ?? (format.value === "webp" ? "lossless" : 95)}</b>
          </span>
          <input
            type="range"
            min={1}
            max={100}
            value={quality.value ?? (format.value === "webp" ? 100 : 95)}
            onInput={(event) => (quality.value = Number(event.currentTarget.value))}
          />
        </label>
      )}
      {isPicture.value && isEdited.value && <Decoder />}
      <div class="row end">
        <Button
          name="Save"
          icon={Download}
          named
          kind="main"
          first
          onClick={() => void save().then((done) => done && close())}
        />
      </div>
      <Command />
    </Dialog>
  );
}

/** What makes the areas that edits reveal. */
export function Decoder() {
  const told = workspace.value;
  const decoders = offered(told?.decoders ?? []);
  if (!told || decoders.length < 2) return null;
  return (
    <label class="field across">
      <span>What fills holes</span>
      <select
        value={decoder.value ?? told.default_decoder}
        onChange={(event) => {
          const { value } = event.currentTarget;
          decoder.value = value === told.default_decoder ? null : value;
          seed.value = 0; // a variation is one of its decoder
          void showCurrent();
        }}
      >
        {decoders.map((name) => (
          <option key={name} value={name}>
            {name === told.default_decoder ? `${name} (usual)` : name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Command() {
  const [copied, setCopied] = useState(false);
  return (
    <section class="command" aria-labelledby="command-title">
      <div class="row spread">
        <h3 id="command-title">The same from a command line</h3>
        <Button
          name={copied ? "Copied" : "Copy"}
          icon={copied ? Check : Copy}
          named
          kind="quiet"
          onClick={() => void copyCommand().then(setCopied)}
        />
      </div>
      <pre tabIndex={0}>
        <code data-command="">{inLines(command.value)}</code>
      </pre>
    </section>
  );
}
