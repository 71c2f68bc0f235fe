/* Draws the charts of a page in the reader's colour scheme; loads nothing. */
(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var print = window.matchMedia("print");
  var themes = JSON.parse(document.getElementById("fk-themes").textContent);
  var drawn = [];

  function read(key) { try { return localStorage.getItem(key); } catch (error) { return null; } }
  function keep(key, value) { try { localStorage.setItem(key, value); } catch (error) { /* private mode */ } }
  function scheme() {
    if (print.matches) { return "light"; }
    return root.dataset.scheme || (dark.matches ? "dark" : "light");
  }

  /* on a phone the names of bars take two lines, so that none is cut off */
  var WRAP = "length(datum.label) > 16 && lastindexof(slice(datum.label, 0, 17), ' ') > 0 ? " +
    "[slice(datum.label, 0, lastindexof(slice(datum.label, 0, 17), ' ')), " +
    "slice(datum.label, lastindexof(slice(datum.label, 0, 17), ' ') + 1)] : datum.label";
  function wrapNames(part) {
    (part.layer || []).forEach(wrapNames);
    var y = part.encoding && part.encoding.y;
    if (y && y.type === "nominal" && y.axis) { y.axis.labelExpr = WRAP; }
    if (part.height && part.height.step) { part.height.step = 38; }
  }

  function config(width) {
    var chosen = JSON.parse(JSON.stringify(themes[scheme()]));
    chosen.legend.columns = Math.max(2, Math.floor(width / 150));
    chosen.legend.labelLimit = Math.min(180, width / 2 - 30);
    chosen.axis.labelLimit = Math.max(120, Math.min(230, width * 0.3));
    if (width < 480) { chosen.axisQuantitative.tickCount = 3; }
    return chosen;
  }

  function draw(plot) {
    var spec = JSON.parse(document.getElementById(plot.dataset.chart).textContent);
    if (plot.clientWidth < 480) { wrapNames(spec); }
    return window.vegaEmbed(plot, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      config: config(plot.clientWidth), logLevel: 1, tooltip: { disableDefaultStyle: true }
    }).then(function (result) {
      plot.dataset.drawn = scheme();
      drawn.push(result);
    }).catch(function (error) {
      plot.textContent = "This chart could not be drawn; its numbers are below.";
      console.error(error);
    });
  }

  function drawAll() {
    drawn.splice(0).forEach(function (result) { result.finalize(); });
    var plots = Array.prototype.slice.call(document.querySelectorAll(".plot[data-chart]"));
    return plots.reduce(function (before, plot) { return before.then(function () { return draw(plot); }); },
      Promise.resolve()).then(function () { root.dataset.ready = "yes"; });
  }

  /* what is folded is printed in full; ids are folded within their cells */
  var opened = [];
  function unfold() {
    opened = Array.prototype.slice.call(document.querySelectorAll("details.fk-more:not([open]), details.fk-fold:not([open])"));
    opened.forEach(function (part) { part.open = true; });
  }
  function refold() { opened.splice(0).forEach(function (part) { part.open = false; }); }

  /* a link to a table that is folded opens it */
  function reveal() {
    var place = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    var folded = place && place.querySelector("details.fk-fold");
    if (folded) { folded.open = true; }
  }

  /* only what scrolls is a stop for the keyboard */
  function stops() {
    document.querySelectorAll(".fk-scroll").forEach(function (part) {
      if (part.scrollWidth > part.clientWidth + 1) { part.tabIndex = 0; } else { part.removeAttribute("tabindex"); }
    });
  }

  function label() {
    var button = document.getElementById("fk-toggle");
    if (button) { button.textContent = scheme() === "dark" ? "Light view" : "Dark view"; }
  }

  function start() {
    var saved = read("finops-scheme");
    if (saved === "dark" || saved === "light") { root.dataset.scheme = saved; }
    var button = document.getElementById("fk-toggle");
    if (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        root.dataset.scheme = scheme() === "dark" ? "light" : "dark";
        keep("finops-scheme", root.dataset.scheme);
        label();
        drawAll();
      });
    }
    dark.addEventListener("change", function () { label(); drawAll(); });
    print.addEventListener("change", drawAll);
    window.addEventListener("beforeprint", unfold);
    window.addEventListener("afterprint", refold);
    window.addEventListener("hashchange", reveal);
    document.addEventListener("toggle", stops, true);
    window.addEventListener("resize", stops);
    reveal();
    stops();
    if (location.protocol.indexOf("http") === 0) {
      document.querySelectorAll("[data-served]").forEach(function (link) { link.hidden = false; });
    }
    document.querySelectorAll(".fk-details .fk-command, .fk-footer .fk-command, .fk-next .fk-command").forEach(function (code) {
      if (!navigator.clipboard) { return; }
      var copy = document.createElement("button");
      copy.type = "button"; copy.className = "copy"; copy.textContent = "Copy";
      copy.addEventListener("click", function () {
        navigator.clipboard.writeText(code.textContent).then(function () { copy.textContent = "Copied"; });
      });
      code.insertAdjacentElement("afterend", copy);
    });
    var current = document.querySelector(".nav [aria-current]");
    if (current) { current.parentNode.scrollLeft = current.offsetLeft - 16; }
    label();
    var narrow = window.innerWidth < 720;
    window.addEventListener("resize", function () {
      if ((window.innerWidth < 720) !== narrow) { narrow = !narrow; drawAll(); }
    });
    drawAll();
  }

  start();
})();
