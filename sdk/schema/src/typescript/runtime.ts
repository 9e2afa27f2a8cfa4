/** What is the same in every client: borsh, strict in both directions, and the numbers that JavaScript does not have. */

/** Reads and writes the values of one type. */
export interface $Codec<T> {
  write(out: $Writer, value: T): void;
  read(input: $Reader): T;
}

/** Bytes under way to a contract. */
export class $Writer {
  $bytes: number[] = [];
  int(value: bigint | number, bytes: number, signed: boolean, what: string): void {
    const exact = typeof value === "number" ? (Number.isSafeInteger(value) ? BigInt(value) : undefined) : value;
    const size = BigInt(8 * bytes);
    const low = signed ? -(1n << (size - 1n)) : 0n;
    if (exact === undefined || exact < low || exact >= low + (1n << size)) {
      throw new RangeError(`${value} is no ${what}`);
    }
    let rest = BigInt.asUintN(8 * bytes, exact);
    for (let i = 0; i < bytes; i++, rest >>= 8n) this.$bytes.push(Number(rest & 255n));
  }
  raw(bytes: globalThis.Uint8Array): void {
    for (const byte of bytes) this.$bytes.push(byte);
  }
  length(length: number): void {
    this.int(length, 4, false, "length");
  }
}

/** Bytes that came from a contract. */
export class $Reader {
  $bytes: globalThis.Uint8Array;
  $at = 0;
  constructor(bytes: globalThis.Uint8Array) {
    this.$bytes = bytes;
  }
  raw(length: number): globalThis.Uint8Array {
    if (this.$at + length > this.$bytes.length) throw new RangeError("the bytes end in the middle of a value");
    this.$at += length;
    return this.$bytes.slice(this.$at - length, this.$at);
  }
  int(bytes: number, signed: boolean): bigint {
    let value = 0n;
    this.raw(bytes).forEach((byte, i) => (value |= BigInt(byte) << BigInt(8 * i)));
    return signed ? BigInt.asIntN(8 * bytes, value) : value;
  }
  length(): number {
    return Number(this.int(4, false));
  }
}

const $unit: $Codec<null> = { write() {}, read: () => null };
const $bool: $Codec<boolean> = {
  write: (out, value) => out.int(value ? 1 : 0, 1, false, "bool"),
  read(input) {
    const byte = input.int(1, false);
    if (byte > 1n) throw new RangeError(`${byte} is no bool`);
    return byte === 1n;
  },
};
const $small = (bytes: number, signed: boolean, name: string): $Codec<number> => ({
  write: (out, value) => out.int(value, bytes, signed, name),
  read: (input) => Number(input.int(bytes, signed)),
});
const $large = (bytes: number, signed: boolean, name: string): $Codec<bigint> => ({
  write: (out, value) => out.int(value, bytes, signed, name),
  read: (input) => input.int(bytes, signed),
});
const $string: $Codec<string> = {
  write(out, value) {
    const bytes = new globalThis.TextEncoder().encode(value);
    out.length(bytes.length);
    out.raw(bytes);
  },
  read: (input) => new globalThis.TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input.raw(input.length())),
};
const $hex: $Codec<string> = {
  write(out, value) {
    const digits = value.startsWith("0x") ? value.slice(2) : value;
    if (!/^[0-9a-fA-F]{64}$/.test(digits)) throw new RangeError(`"${value}" is not 64 hexadecimal digits`);
    for (let i = 0; i < 64; i += 2) out.int(parseInt(digits.slice(i, i + 2), 16), 1, false, "byte");
  },
  read: (input) => globalThis.Array.from(input.raw(32), (byte) => byte.toString(16).padStart(2, "0")).join(""),
};
const $bytes = (length?: number): $Codec<globalThis.Uint8Array> => ({
  write(out, value) {
    if (length === undefined) out.length(value.length);
    else if (value.length !== length) throw new RangeError(`${value.length} bytes, ${length} are expected`);
    out.raw(value);
  },
  read: (input) => input.raw(length ?? input.length()),
});
const $list = <T>(item: $Codec<T>, length?: number): $Codec<T[]> => ({
  write(out, value) {
    if (length === undefined) out.length(value.length);
    else if (value.length !== length) throw new RangeError(`${value.length} elements, ${length} are expected`);
    for (const element of value) item.write(out, element);
  },
  read(input) {
    const values: T[] = [];
    for (let rest = length ?? input.length(); rest > 0; rest--) values.push(item.read(input));
    return values;
  },
});
const $tag = (input: $Reader): boolean => {
  const tag = input.int(1, false);
  if (tag > 1n) throw new RangeError(`${tag} is neither a value nor none`);
  return tag === 1n;
};
const $option = <T>(item: $Codec<T>): $Codec<T | null> => ({
  write(out, value) {
    out.int(value === null ? 0 : 1, 1, false, "tag");
    if (value !== null) item.write(out, value);
  },
  read: (input) => ($tag(input) ? item.read(input) : null),
});
/** An option whose value may itself be null: the value is in brackets. */
const $nested = <T>(item: $Codec<T>): $Codec<[T] | null> => ({
  write(out, value) {
    out.int(value === null ? 0 : 1, 1, false, "tag");
    if (value !== null) item.write(out, value[0]);
  },
  read: (input) => ($tag(input) ? [item.read(input)] : null),
});
const $map = <K, V>(key: $Codec<K>, item: $Codec<V>, order: (a: K, b: K) => number): $Codec<globalThis.Map<K, V>> => ({
  write(out, value) {
    out.length(value.size);
    for (const [k, v] of [...value].sort((a, b) => order(a[0], b[0]))) {
      key.write(out, k);
      item.write(out, v);
    }
  },
  read(input) {
    const values = new globalThis.Map<K, V>();
    let last: K | undefined;
    for (let rest = input.length(); rest > 0; rest--) {
      const k = key.read(input);
      if (last !== undefined && order(last, k) >= 0) throw new RangeError("the keys of a map are not in order");
      last = k;
      values.set(k, item.read(input));
    }
    return values;
  },
});
const $natural = (a: any, b: any): number => (a < b ? -1 : a > b ? 1 : 0);
/** Texts in the order of their bytes, which is that of their code points. */
const $text = (a: string, b: string): number => {
  const [left, right] = [globalThis.Array.from(a), globalThis.Array.from(b)];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const order = left[i].codePointAt(0)! - right[i].codePointAt(0)!;
    if (order !== 0) return order;
  }
  return left.length - right.length;
};
const $tuple = (...items: $Codec<any>[]): $Codec<any> => ({
  write(out, value) {
    if (value.length !== items.length) throw new RangeError(`${value.length} elements, ${items.length} are expected`);
    items.forEach((item, i) => item.write(out, value[i]));
  },
  read: (input) => items.map((item) => item.read(input)),
});
const $struct = (fields: [string, $Codec<any>][]): $Codec<any> => ({
  write(out, value) {
    for (const [name, item] of fields) item.write(out, value[name]);
  },
  read: (input) => globalThis.Object.fromEntries(fields.map(([name, item]) => [name, item.read(input)])),
});
/** One of several: its name, or an object with its name and its fields. */
const $enum = (variants: [string, $Codec<any> | null][]): $Codec<any> => ({
  write(out, value) {
    const name = typeof value === "string" ? value : globalThis.Object.keys(value)[0];
    const index = variants.findIndex(([known]) => known === name);
    if (index < 0) throw new RangeError(`there is no variant ${name}`);
    out.int(index, 1, false, "variant");
    const fields = variants[index][1];
    if (fields !== null) fields.write(out, value[name]);
  },
  read(input) {
    const index = Number(input.int(1, false));
    if (index >= variants.length) throw new RangeError(`there is no variant ${index}`);
    const [name, fields] = variants[index];
    return fields === null ? name : { [name]: fields.read(input) };
  },
});
const $lazy = <T>(codec: () => $Codec<T>): $Codec<T> => ({
  write: (out, value) => codec().write(out, value),
  read: (input) => codec().read(input),
});
/** `n / d` to the nearest, of two the even one; neither is negative. */
const $round = (n: bigint, d: bigint): bigint => {
  const [floor, twice] = [n / d, 2n * (n % d)];
  return twice > d || (twice === d && floor % 2n === 1n) ? floor + 1n : floor;
};
/** A fixed-point number, as its decimal digits. */
const $fixed = (bits: number): $Codec<string> => ({
  write(out, value) {
    const parts = /^([+-]?)([0-9]+)(?:\.([0-9]{1,19}))?$/.exec(value);
    if (parts === null) throw new RangeError(`"${value}" is no number such as 12 or -0.5`);
    const fraction = parts[3] ?? "";
    const magnitude = $round(BigInt(parts[2] + fraction) << BigInt(bits), 10n ** BigInt(fraction.length));
    out.int(parts[1] === "-" ? -magnitude : magnitude, 8, true, `number of ${bits} fraction bits`);
  },
  read(input) {
    const value = input.int(8, true);
    const magnitude = value < 0n ? -value : value;
    const [one, sign] = [1n << BigInt(bits), value < 0n ? "-" : ""];
    const [whole, fraction] = [magnitude / one, magnitude % one];
    if (fraction === 0n) return `${sign}${whole}`;
    for (let places = 1; ; places++) {
      const scale = 10n ** BigInt(places);
      const digits = $round(fraction * scale, one);
      if (digits < scale && ($round(digits * one, scale) === fraction || places === 19)) {
        return `${sign}${whole}.${digits.toString().padStart(places, "0")}`;
      }
    }
  },
});

const $input = (name: string, codecs: $Codec<any>[], values: any[]): globalThis.Uint8Array => {
  const out = new $Writer();
  if (name !== "") $string.write(out, name);
  codecs.forEach((codec, i) => codec.write(out, values[i]));
  return globalThis.Uint8Array.from(out.$bytes);
};
const $output = <T>(codec: $Codec<T>, bytes: globalThis.Uint8Array): T => {
  const input = new $Reader(bytes);
  const value = codec.read(input);
  if (input.$at !== bytes.length) throw new RangeError("the bytes are longer than the value");
  return value;
};

/** How a call reaches a chain. What it resolves to is the return data; an abort rejects. */
export interface $Transport {
  /** Sends a transaction that calls the contract, with native units. */
  call(contract: string, input: globalThis.Uint8Array, value: bigint): Promise<globalThis.Uint8Array>;
  /** Asks a view of the contract, without a transaction. */
  view(contract: string, input: globalThis.Uint8Array): Promise<globalThis.Uint8Array>;
}
