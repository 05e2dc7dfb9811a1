// The console's page. Everything that comes from a pool is shown as text, never as markup.
(() => {
  const KEPT = 240;
  const SPOKEN_EVERY_MS = 15_000;
  const element = (id) => document.getElementById(id);
  const ms = (value) => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);
  const age = (value) => (value < 1_000 ? `${Math.round(value)} ms` : `${Math.round(value / 1_000)} s`);

  const past = new Map();
  let charts;
  let paused = false;
  let spokenAt = -SPOKEN_EVERY_MS;
  let latest;

  const source = new EventSource(`events${location.search}`);
  source.onmessage = ({ data }) => {
    latest = JSON.parse(data);
    // Also while it is paused, so that the charts have no gap when it goes on.
    for (const pool of latest.pools) remember(pool, latest.at);
    if (paused) return;
    say(`process ${latest.pid}, live`);
    show();
  };
  source.onerror = () => say('the application does not answer');
  element('pause').addEventListener('click', () => {
    paused = !paused;
    element('pause').setAttribute('aria-pressed', paused);
    say(paused ? 'paused' : 'going on');
    if (!paused) show();
  });
  element('pool').addEventListener('change', () => {
    charts = undefined;
    show();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    charts = undefined;
    show();
  });
  addEventListener('resize', () => {
    charts = undefined;
    show();
  });

  function show() {
    const { pools } = latest ?? { pools: [] };
    element('empty').hidden = pools.length > 0;
    element('shown').hidden = pools.length === 0;
    offer(pools.map(({ name }) => name));
    const pool = pools.find(({ name }) => name === element('pool').value);
    if (pool === undefined) return;
    showNumbers(pool);
    showCharts(past.get(pool.name), pool);
    showTable(
      'connections',
      'Connections',
      ['id', 'state', 'for', 'uses', 'leases', 'held', 'failed', 'efficiency', 'age', 'will close'],
      pool.connections.map((connection) => [
        connection.id,
        connection.state,
        age(connection.sinceMs),
        connection.uses,
        connection.holders,
        connection.timed === 0 ? '' : ms(connection.meanHeldMs),
        connection.timed === 0 ? '' : `${Math.round((100 * connection.failures) / connection.timed)} %`,
        connection.timed === 0 ? '' : `${Math.round(100 * connection.efficiency)} %`,
        age(connection.ageMs),
        connection.retiring ?? '',
      ]),
    );
    showTable(
      'flags',
      'Optimisations',
      ['name', 'stage', 'acts', 'share of time', 'reason'],
      pool.flags.map(({ name, stage, acting, exposure, reason }) => [
        name,
        stage,
        acting ? 'yes' : 'no',
        `${Math.round(exposure * 100)} %`,
        reason ?? '',
      ]),
    );
    showTable(
      'queries',
      'Costliest queries',
      ['query', 'lane', 'runs', 'held', 'longest', 'failed', 'together'],
      pool.queries.map((query) => [
        query.summary || query.fingerprint,
        query.lane,
        query.runs,
        ms(query.meanMs),
        ms(query.longestMs),
        `${Math.round(query.failureRate * 100)} %`,
        age(query.totalMs),
      ]),
    );
    showSentences('findings', pool.findings, 'nothing out of the ordinary');
    showSizes(pool);
    showList('decisions', [...pool.decisions].reverse());
    showList('circuit', [...pool.circuit].reverse(), `the circuit is ${pool.stats.circuit}`);
    showPairs('counts', [...durationsOf(pool.ever), ...countsOf(pool.counters)]);
    speak(pool);
  }

  /** What other maxima would have meant, and what is advised. */
  function showSizes({ stats, sizing, limit }) {
    const { alternatives = [], advice } = sizing?.whatIf ?? {};
    const { peak, peakAgoMs, openMs, unneededMs } = sizing?.usage ?? { openMs: 0 };
    const needed =
      openMs === 0
        ? undefined
        : `at most ${peak} were asked for at once, ${age(peakAgoMs)} ago; ` +
          `${Math.round((100 * unneededMs) / openMs)} % of the time that connections stood open nobody needed them`;
    const advised = [needed, advice, limit?.advice].filter((said) => said !== undefined);
    showSentences('advice', advised, 'too little was seen yet');
    showTable(
      'sizes',
      'With another max',
      ['max', 'mean wait', 'p99 wait', 'connection time'],
      alternatives.map(({ max, waitMeanMs, waitP99Ms, connectionTime }) => [
        max === stats.max ? `${max}, now` : max,
        ms(waitMeanMs),
        ms(waitP99Ms),
        `× ${connectionTime.toFixed(2)}`,
      ]),
    );
  }

  function offer(names) {
    const select = element('pool');
    const offered = [...select.options].map(({ value }) => value);
    if (offered.join('\n') === names.join('\n')) return;
    const { value } = select;
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    if (names.includes(value)) select.value = value;
  }

  function remember({ name, stats, inUse, idle, wait, forecast }, at) {
    let kept = past.get(name);
    if (kept === undefined) {
      kept = { size: [[], [], [], [], [], []], wait: [[], [], []] };
      past.set(name, kept);
    }
    if (kept.size[0].at(-1) === at / 1_000) return;
    push(kept.size, [at / 1_000, inUse, idle, stats.target, forecast ?? null, stats.limit]);
    push(kept.wait, [at / 1_000, stats.waiting, wait.p99Ms]);
  }

  function push(columns, values) {
    for (const [index, column] of columns.entries()) {
      column.push(values[index]);
      if (column.length > KEPT) column.shift();
    }
  }

  function showNumbers({ stats, inUse, idle, wait, use, forecast, sizing }) {
    showPairs('numbers', [
      ['in use', inUse],
      ['idle', idle],
      ['waiting', stats.waiting],
      ['opening', stats.opening],
      ['target', stats.target],
      ['forecast', forecast ?? '–'],
      ['load', sizing?.workload ?? '–'],
      ['limit', stats.limit],
      ['circuit', stats.circuit],
      ['p99 wait, 10 s', ms(wait.p99Ms)],
      ['p99 held, 10 s', ms(use.p99Ms)],
    ]);
  }

  function showCharts(kept, { stats, inUse, idle }) {
    charts ??= {
      size: chart(
        'size',
        ['in use', 'idle', 'target', 'forecast', 'limit'],
        ['--used', '--idle', '--target', '--forecast', '--limit'],
      ),
      wait: chart('wait', ['waiting', 'p99 wait of 10 s, ms'], ['--used', '--target'], 'ms'),
    };
    charts.size.setData(kept.size);
    charts.wait.setData(kept.wait);
    element('size').setAttribute(
      'aria-label',
      `${inUse} in use and ${idle} idle of ${stats.limit}, target ${stats.target}`,
    );
    element('wait').setAttribute('aria-label', `${stats.waiting} callers wait`);
  }

  /** As a canvas understands it: of a variable by itself the page tells no more than `light-dark(…)`. */
  function colour(name) {
    const { style } = element('status');
    style.color = `var(${name})`;
    const { color } = getComputedStyle(element('status'));
    style.color = '';
    return color;
  }

  /** @param lastScale of the last line, where it is not counted as the others are. */
  function chart(id, names, colours, lastScale) {
    const place = element(id);
    place.replaceChildren();
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 } };
    const range = (_plot, _least, most) => [0, Math.max(1, most * 1.1)];
    const scaleOf = (index) => (lastScale !== undefined && index === names.length - 1 ? lastScale : 'y');
    const right = { ...axis, scale: lastScale, side: 1, grid: { show: false } };
    return new uPlot(
      {
        width: place.clientWidth,
        height: 200,
        series: [
          {},
          ...names.map((label, index) => ({
            label,
            scale: scaleOf(index),
            stroke: colour(colours[index]),
            width: 2,
          })),
        ],
        axes: lastScale === undefined ? [axis, axis] : [axis, axis, right],
        scales: { y: { range }, ...(lastScale === undefined ? {} : { [lastScale]: { range } }) },
      },
      [[], ...names.map(() => [])],
      place,
    );
  }

  function countsOf(counters) {
    return Object.entries(counters).flatMap(([name, value]) =>
      typeof value === 'number'
        ? [[words(name), value]]
        : Object.entries(value ?? {})
            .filter(([, count]) => count > 0)
            .map(([reason, count]) => [`${words(name)}: ${reason}`, count]),
    );
  }

  function durationsOf(ever) {
    return Object.entries(ever).flatMap(([name, { p50Ms, p99Ms, maxMs }]) => [
      [`${name}: p50`, ms(p50Ms)],
      [`${name}: p99`, ms(p99Ms)],
      [`${name}: longest`, ms(maxMs)],
    ]);
  }

  function words(name) {
    return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  }

  function showPairs(id, pairs) {
    children(element(id), pairs.length, 'div', (place, index) => pair(place, ['dt', 'dd'], pairs[index]));
  }

  function showTable(id, caption, heads, rows) {
    const table = element(id);
    if (table.caption === null) {
      const said = table.createCaption();
      said.className = 'spoken';
      said.textContent = caption;
      const head = table.createTHead().insertRow();
      for (const name of heads) {
        const cell = text('th', name);
        cell.scope = 'col';
        head.append(cell);
      }
      table.createTBody();
    }
    children(table.tBodies[0], rows.length, 'tr', (row, index) => {
      children(row, heads.length, 'td', (cell, column) => tell(cell, rows[index][column]));
    });
  }

  /** @param now what is said first, without a time. */
  function showList(id, entries, now) {
    const said = entries.map(({ at, words: what }) => [new Date(at).toLocaleTimeString(), ` ${what}`]);
    if (now !== undefined) said.unshift(['now', ` ${now}`]);
    children(element(id), said.length, 'li', (item, index) => pair(item, ['time', 'span'], said[index]));
  }

  function pair(place, tags, texts) {
    children(
      place,
      2,
      (part) => tags[part],
      (cell, part) => tell(cell, texts[part]),
    );
  }

  /** Keeps what is there, so that neither a selection nor the place where somebody reads is lost. */
  function children(parent, count, tag, fill) {
    while (parent.children.length > count) parent.lastElementChild.remove();
    for (let index = 0; index < count; index += 1) {
      const name = typeof tag === 'string' ? tag : tag(index);
      fill(parent.children[index] ?? parent.appendChild(document.createElement(name)), index);
    }
  }

  function tell(place, content) {
    const words = String(content);
    if (place.textContent !== words) place.textContent = words;
  }

  function say(words) {
    tell(element('status'), words);
  }

  function showSentences(id, sentences, ifNone) {
    const said = sentences.length === 0 ? [ifNone] : sentences;
    children(element(id), said.length, 'li', (item, index) => tell(item, said[index]));
  }

  function text(tag, content) {
    const made = document.createElement(tag);
    made.textContent = content;
    return made;
  }

  /** For those who do not see the numbers change: now and then, in one sentence. */
  function speak({ name, stats, inUse }) {
    if (performance.now() - spokenAt < SPOKEN_EVERY_MS) return;
    spokenAt = performance.now();
    element('spoken').textContent =
      `${name}: ${inUse} of ${stats.limit} in use, ${stats.waiting} waiting, circuit ${stats.circuit}`;
  }
})();
