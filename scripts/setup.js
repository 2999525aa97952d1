/**
 * `node scripts/setup.js [--test] [--lan] [--bench]`: makes a fresh checkout ready to run; npm calls it before each command.
 * This file only checks versions, in syntax that every Node since 12 parses, and hands over.
 */
(function () {
  var node = process.versions.node;
  var npm = (/\bnpm\/([0-9.]+)/.exec(process.env.npm_config_user_agent || '') || [])[1];
  var missing = [];
  if (parseInt(node, 10) < 20) missing.push('Node 20 or newer (this is ' + node + ')');
  if (npm && parseInt(npm, 10) < 10) missing.push('npm 10 or newer (this is ' + npm + ')');
  if (missing.length > 0) {
    console.error(
      'Cuadro needs ' +
        missing.join(' and ') +
        '. Install a current Node from https://nodejs.org, which ' +
        "brings npm along, or your system's newer package, and run the command again.",
    );
    process.exit(1);
  }
  import('./setup/main.js')
    .then(function (module) {
      return module.main(process.argv.slice(2));
    })
    .catch(function (error) {
      console.error('The set-up failed: ' + ((error && error.stack) || error));
      process.exit(1);
    });
})();
