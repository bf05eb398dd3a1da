import { z } from "zod";
import { isId } from "../subjects.js";

export const id = z.string().refine(isId, "is no id: letters, digits, _ and -, at most 64");
export const text = z.string().max(4096);
export const count = z.int().min(0);
export const us = z.int();
export const share = z.number();

/** Intervals by number, both ends included. */
export const seqRanges = z.array(z.object({ from: count, to: count })).max(1000);
