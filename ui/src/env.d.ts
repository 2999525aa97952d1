/// <reference types="vite/client" />

declare module 'virtual:cuadro-routes' {
  import type { ROUTES, RouteName } from '@cuadro/protocol';
  export const routes: { [N in RouteName]: [(typeof ROUTES)[N]['method'], string] };
}
declare module '*.md' {
  const page: { name: string; title: string; html: string };
  export default page;
}
declare module '*.css?inline' {
  const text: string;
  export default text;
}
declare module '*.css';
