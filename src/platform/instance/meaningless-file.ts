/** What is in a file is none of the things that belong there: it is empty, full of zeros, cut off, garbled, or no file. */
export class MeaninglessFile extends Error {}
