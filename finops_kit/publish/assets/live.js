/* Draws every chart that the dashboard puts on the page, as it appears; loads nothing. */
(function () {
  "use strict";
  if (window.finopsLive) { return; }
  window.finopsLive = true;
  /*THEMES*/
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function draw(plot) {
    var spec = JSON.parse(plot.dataset.spec);
    var scheme = dark.matches ? "dark" : "light";
    var config = JSON.parse(JSON.stringify(themes[scheme]));
    var width = plot.clientWidth || 600;
    config.legend.columns = Math.max(2, Math.floor(width / 150));
    config.axis.labelLimit = Math.max(84, Math.min(230, width * 0.3));
    plot.dataset.drawn = scheme;
    window.vegaEmbed(plot, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, logLevel: 1,
      config: config, tooltip: { disableDefaultStyle: true }
    }).then(function () {
      // the page may still be finding its width when a chart is drawn first
      setTimeout(function () { window.dispatchEvent(new Event("resize")); }, 250);
    }).catch(function (error) { console.error(error); });
  }

  function look() {
    document.querySelectorAll(".plot[data-spec]:not([data-drawn])").forEach(function (plot) {
      if (plot.clientWidth) { draw(plot); }
    });
  }

  dark.addEventListener("change", function () {
    document.querySelectorAll(".plot[data-drawn]").forEach(function (plot) { delete plot.dataset.drawn; });
    look();
  });
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
  window.addEventListener("load", look);
  setInterval(look, 400);
})();
