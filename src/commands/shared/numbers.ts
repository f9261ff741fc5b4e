import { InvalidArgumentError } from '@commander-js/extra-typings';

/** A parser of an option's value: a number between two bounds. @throws InvalidArgumentError (exit `usage`) */
export function numberOption(kind: 'whole' | 'any', min: number, max: number, unit = ''): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    const fits = value >= min && value <= max && (kind === 'any' || Number.isInteger(value));
    if (!fits) {
      const number = kind === 'whole' ? 'a whole number' : 'a number';
      throw new InvalidArgumentError(`${number}${unit === '' ? '' : ` of ${unit}`} from ${min} to ${max}`);
    }
    return value;
  };
}
