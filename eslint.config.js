import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'node_modules'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // Nothing prints outside src/ui: data goes to stdout and progress to stderr through one place.
    files: ['src/**/*.ts'],
    ignores: ['src/ui/**'],
    rules: { 'no-console': 'error' },
  },
  {
    // Where the database is, is said by the configuration (databaseOf) and read by the store.
    files: ['src/**/*.ts'],
    ignores: ['src/core/config/**'],
    rules: { 'no-restricted-properties': ['error', { property: 'dbPath', message: 'Use databaseOf().' }] },
  },
  {
    // A test waits for a condition through test/support/until.ts, which says what it waited for, for how long.
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...["[object.name='vi'][property.name=/^wait/]", "[object.name='expect'][property.name='poll']"].map(
          (what) => ({
            selector: `MemberExpression${what}`,
            message: 'Use until() of test/support/until.ts.',
          }),
        ),
      ],
    },
  },
);
