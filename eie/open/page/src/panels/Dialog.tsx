/** A dialog over the page; Escape and the corner close it. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { X } from "lucide";
import { Button } from "./Button";
import { Messages } from "./Notices";

interface Props {
  readonly title: string;
  readonly wide?: boolean;
  /** None where there is nothing behind it to go back to. */
  readonly onClose?: (() => void) | undefined;
  readonly children: ComponentChildren;
}

export function Dialog({ title, wide, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current!.showModal();
    dialog.current!.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => before?.focus();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "dialog wide" : "dialog"}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onPointerDown={(event) => event.target === dialog.current && onClose?.()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2>{title}</h2>
          {onClose && <Button name="Close" icon={X} kind="quiet" onClick={onClose} />}
        </header>
        {children}
        <Messages />
      </div>
    </dialog>
  );
}
