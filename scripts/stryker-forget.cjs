// Stryker runs one mutant after another in one process: a text whose class is remembered from the first would hide all others.
const { Recent } = require('../dist/src/query/recent.js');

const { get, set } = Recent.prototype;
let test = 0;

function forgetOtherTests(recent) {
  if (recent.test === test) return;
  recent.sets.fill(undefined);
  recent.test = test;
}

Recent.prototype.get = function (text) {
  forgetOtherTests(this);
  return get.call(this, text);
};
Recent.prototype.set = function (text, value) {
  forgetOtherTests(this);
  set.call(this, text, value);
};

exports.mochaHooks = {
  beforeEach() {
    test += 1;
  },
};
