// @remy/webmention reads the post and tells every page that it links to, by the command that it installs.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, source] = process.argv.slice(2);
const command = createRequire(join(modules, "/")).resolve("@remy/webmention/bin/wm.js");
const done = spawnSync(process.execPath, [...process.execArgv, command, source, "--send"], { stdio: "inherit" });
process.exit(done.status ?? 1);
