/** Where the value of a key came from. */
export type ConfigSource =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'commandLine'; readonly option: string }
  /** Set while the server runs. */
  | { readonly kind: 'configSet' };

/** `default`, the path of a file, the name of a variable, the option, or `config set`. */
export function sourceText(source: ConfigSource): string {
  switch (source.kind) {
    case 'default':
      return 'default';
    case 'file':
      return source.path;
    case 'environment':
      return source.name;
    case 'commandLine':
      return source.option;
    case 'configSet':
      return 'config set';
  }
}
