import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// `npm run dev` asks a `recurve serve` that runs beside it; RECURVE_API names another address.
const api = process.env.RECURVE_API ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // data: URLs and an inline polyfill would break the content security policy.
    assetsInlineLimit: 0,
    // One sheet: it is small, and a page that comes later need not wait for its own.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    sourcemap: false,
    rollupOptions: {
      output: {
        // Few files for the first page: what many pages share is one, and what comes from others is another.
        codeSplitting: {
          groups: [
            { name: 'vendor', test: /node_modules/ },
            {
              name: 'shared',
              test: /src\/(?:lib|charts|ui)\/(?!AlertRules|Anomalies|Assumption|CohortPeople|Customer|Dialog|Drawer|Experiment|FollowUp|follow-up|Funnel|funnel|Help|History|Import|MonthClose|NoteDialog|Opens|Palette|Payback|payback|People|Picture|picture|Ranges|Ranks|Review|Said|Scatter|Scenarios|scenarios|Segment|SidePanel|Step)/,
            },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': { target: api, changeOrigin: false } } },
});
