/** What people read of jobs beside their pages' own words; part of `terms`. */
export const troubleTerms = {
  title: 'What went wrong',
  log: (task: string) => `Log of ${task}`,
  job: (order: number, name: string) => `#${order} ${name}`,
};
