/** A button with an icon, a name that is seen or only read out, and the key that does the same. */

import type { IconNode } from "lucide";
import { Icon } from "./Icon";

interface Props {
  readonly name: string;
  readonly icon?: IconNode;
  /** The key that does the same, for the tip. */
  readonly keys?: string;
  /** Whether the name stands beside the icon. */
  readonly named?: boolean;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
  /** Whether it has the focus when its dialog opens. */
  readonly first?: boolean;
  readonly kind?: "plain" | "main" | "quiet" | "danger";
  readonly onClick: () => void;
}

export function Button(props: Props) {
  const { name, icon, keys, named, pressed, disabled, first, kind = "plain", onClick } = props;
  const seen = named || !icon;
  return (
    <button
      type="button"
      class={`button ${kind}${seen ? " named" : ""}`}
      aria-label={icon ? name : undefined}
      aria-pressed={pressed}
      aria-keyshortcuts={keys?.replaceAll("Ctrl", "Control")}
      title={keys ? `${name} (${keys})` : seen ? undefined : name}
      data-first={first ? "" : undefined}
      disabled={disabled}
      onClick={(event) => {
        // A mouse goes back to the photo, and so do the keys: space would press the button again.
        if ((event as unknown as PointerEvent).pointerType === "mouse") event.currentTarget.blur();
        onClick();
      }}
    >
      {icon && <Icon of={icon} />}
      {seen && <span>{name}</span>}
    </button>
  );
}
