/** One line of a text that comes in pieces; `bytes` is null where it was longer than the bound, and was not kept. */
export interface Line {
  /** Counted from 1, empty lines too, as an editor shows it. */
  number: number;
  bytes: Buffer | null;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Cuts what comes into lines, with LF or CRLF between them. It keeps at most one unfinished line of `maxBytes`. */
export class LineSplitter {
  private pieces: Buffer[] = [];
  private kept = 0;
  private tooLong = false;
  private number = 1;

  constructor(private readonly maxBytes: number) {}

  /** The lines that this piece has ended. Their bytes may be part of the piece. */
  push(piece: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = piece.indexOf(LINE_FEED); end !== -1; end = piece.indexOf(LINE_FEED, start)) {
      this.keep(piece.subarray(start, end));
      lines.push(this.finish());
      start = end + 1;
    }
    this.keep(piece.subarray(start));
    return lines;
  }

  /** The last line, where no line end stands behind it. */
  end(): Line[] {
    return this.kept > 0 || this.tooLong ? [this.finish()] : [];
  }

  private keep(piece: Buffer): void {
    if (piece.length === 0) return;
    this.kept += piece.length;
    // One more for a CR, which is not part of the line.
    this.tooLong ||= this.kept > this.maxBytes + 1;
    if (this.tooLong) this.pieces = [];
    else this.pieces.push(piece);
  }

  private finish(): Line {
    const whole = this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces);
    const bytes = whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole;
    const line = {
      number: this.number,
      bytes: this.tooLong || bytes.length > this.maxBytes ? null : bytes,
    };
    this.pieces = [];
    this.kept = 0;
    this.tooLong = false;
    this.number += 1;
    return line;
  }
}
