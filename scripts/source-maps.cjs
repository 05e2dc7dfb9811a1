// As a Node flag in .mocharc.json this would make mocha start a second process, which outlives a killed first.
process.setSourceMapsEnabled(true);
