// Runs before the first paint, so that the theme does not flash. It is a file of its own because the content security
// policy allows no inline script.
(function () {
  var theme = null;
  try {
    theme = new URLSearchParams(location.search).get('theme') || localStorage.getItem('recurve.theme');
  } catch {
    theme = null;
  }
  if (theme !== 'dark' && theme !== 'light') {
    theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  }
  document.documentElement.dataset.theme = theme;
})();
