#include "src/config/load.h"

#include <doctest/doctest.h>

#include <map>

#include "src/base/glob.h"
#include "src/config/help.h"
#include "src/config/words.h"

using namespace hearth;
using namespace hearth::config;

namespace {

class MapFiles : public ConfigFiles {
 public:
  std::map<std::string, std::string> files;
  Result<std::string> read(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return fail(ErrorCode::kIo, "No such file or directory");
    return found->second;
  }
  std::vector<std::string> matching(const std::string& pattern) override {
    std::vector<std::string> out;
    for (const auto& [path, text] : files) {
      if (glob_match(pattern, path)) out.push_back(path);
    }
    return out;
  }
};

struct Started {
  Registry registry;
  std::string error;  // fatal text, empty if all is well
  std::string get(std::string_view name) const {
    return std::string(registry.value_of(name).value_or("?"));
  }
};

Started start(const std::vector<std::string>& arguments, const std::string& conf = "") {
  Started out;
  MapFiles files;
  files.files["test.conf"] = conf;
  files.files["-"] = "hz 77\n";
  const auto loaded = load(out.registry, parse_command_line(arguments), files);
  if (!loaded) out.error = fatal_text(loaded.error(), "Hearth 0.1.0");
  return out;
}

std::string fatal(int line, const std::string& text, const std::string& reason) {
  return "\n*** FATAL CONFIG FILE ERROR (Hearth 0.1.0) ***\nReading the configuration file, at "
         "line " +
         std::to_string(line) + "\n>>> '" + text + "'\n" + reason + "\n";
}

// Of an option, which stands in no line.
std::string fatal(const std::string& text, const std::string& reason) {
  return "\n*** FATAL CONFIG FILE ERROR (Hearth 0.1.0) ***\nReading the options of the command "
         "line\n>>> '" +
         text + "'\n" + reason + "\n";
}

}  // namespace

TEST_CASE("words know quotes and escapes") {
  using Words = std::vector<std::string>;
  CHECK(*split_words("  a  b\tc ") == Words{"a", "b", "c"});
  CHECK(*split_words("a \"b c\" ''") == Words{"a", "b c", ""});
  CHECK(*split_words("\"\\x41\\n\\\"\\\\\"") == Words{"A\n\"\\"});
  CHECK(*split_words("'it\\'s \\n'") == Words{"it's \\n"});
  CHECK_FALSE(split_words("\"a").has_value());
  CHECK_FALSE(split_words("'a").has_value());
  CHECK_FALSE(split_words("\"a\"b").has_value());
  for (const std::string& word : {std::string("plain"), std::string(""), std::string("a b"),
                                  std::string("q\"'\\\n\r\t\a\b\x01\xff"), std::string("#x")}) {
    CHECK(*split_words(quoted(word)) == Words{word});
    CHECK(*split_words(quoted_if_needed(word)) == Words{word});
  }
}

TEST_CASE("a file sets parameters; comments, blank lines and case do not matter") {
  const Started s = start({"test.conf"},
                          "# comment\n\n  PORT 7001\r\nlogfile ''\nsave \nrequirepass \"a b\"\n"
                          "client-output-buffer-limit normal 1mb 1mb 1\n"
                          "client-output-buffer-limit pubsub 0 0 0\nbind 127.0.0.1 ::1\n"
                          "user alice on >x ~*\nuser bob off\nrename-command FLUSHALL \"\"\n"
                          "slave-serve-stale-data no\nunixsocketperm 700\ncluster-enabled yes\n"
                          "cluster-seeds 127.0.0.1:7001,127.0.0.1:7002 h:3\n");
  CHECK(s.error == "");
  const Settings& settings = s.registry.settings();
  CHECK(settings.port == 7001);
  CHECK(settings.save.empty());
  CHECK(settings.requirepass == "a b");
  CHECK(s.get("client-output-buffer-limit") ==
        "normal 1048576 1048576 1 slave 268435456 67108864 60 pubsub 0 0 0");
  CHECK(settings.bind == std::vector<std::string>{"127.0.0.1", "::1"});
  CHECK(settings.user_lines.size() == 2);
  CHECK(settings.renamed_commands[0].first == "FLUSHALL");
  CHECK_FALSE(settings.replica_serve_stale_data);
  CHECK(settings.unixsocketperm == 0700);
  CHECK(s.get("unixsocketperm") == "700");
  CHECK(settings.cluster_seeds ==
        std::vector<std::string>{"127.0.0.1:7001", "127.0.0.1:7002", "h:3"});
}

TEST_CASE("the first save replaces the default, further ones add, an empty one starts afresh") {
  CHECK(start({"test.conf"}, "save 100 100").get("save") == "100 100");
  CHECK(start({"test.conf", "--save", "100", "100"}, "save 900 1").get("save") == "900 1 100 100");
  CHECK(start({"test.conf", "--save", ""}, "save 900 1").get("save") == "");
  CHECK(start({"test.conf"}, "save 900 1\nsave \"\"\nsave 5 5").get("save") == "5 5");
  CHECK(start({"test.conf"}, "").get("save") == "3600 1 300 100 60 10000");
}

TEST_CASE("options stand behind the file, in all the forms that are in use") {
  Started s = start({"test.conf", "--maxmemory 700mb", "--maxmemory-policy volatile-lru"});
  CHECK(s.get("maxmemory") == "734003200");
  CHECK(s.get("maxmemory-policy") == "volatile-lru");
  s = start({"test.conf", "loglevel", "verbose", "--maxmemory '700mb'",
             "--maxmemory-policy 'volatile-lru'"});
  CHECK(s.error == "");
  CHECK(s.get("loglevel") == "verbose");
  CHECK(s.get("maxmemory") == "734003200");
  s = start({"--proc-title-template", "--my--title", "--loglevel", "verbose"});
  CHECK(s.get("proc-title-template") == "--my--title");
  CHECK(s.get("loglevel") == "verbose");
  s = start({"--proc-title-template --my--title", "--loglevel verbose"});
  CHECK(s.get("proc-title-template") == "--my--title");
  CHECK(s.get("loglevel") == "verbose");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--save", "--loglevel", "verbose"},
           {"--loglevel", "verbose", "--save"},
           {"--save", "", "--loglevel", "verbose"},
           {"--loglevel", "verbose", "--save", ""},
           {"--proc-title-template", "--save", "--save", "", "--loglevel", "verbose"}}) {
    s = start(arguments);
    CHECK(s.error == "");
    CHECK(s.get("save") == "");
    CHECK(s.get("loglevel") == "verbose");
  }
  s = start(
      {"--shutdown-on-sigint", "nosave", "force", "now", "--shutdown-on-sigterm", "nosave force"});
  CHECK(s.get("shutdown-on-sigint") == "nosave now force");
  CHECK(s.get("shutdown-on-sigterm") == "nosave force");
  s = start({"test.conf", "--port", "7", "-"});
  CHECK(s.get("hz") == "77");
  CHECK(s.get("port") == "7");
}

TEST_CASE("a mistake names its line, its text and the reason") {
  CHECK(start({"--invalid"}).error ==
        fatal("invalid",
              "Bad directive or wrong number of arguments\nThere is no parameter 'invalid'."));
  CHECK(start({"--port"}).error == fatal("port", "wrong number of arguments"));
  CHECK(start({"--port", "6380", "--loglevel"}).error ==
        fatal("loglevel", "wrong number of arguments"));
  CHECK(start({"--port", "6379", "6380"}).error ==
        fatal("port \"6379\" \"6380\"", "wrong number of arguments"));
  CHECK(start({"--port", "--loglevel", "verbose"}).error ==
        fatal("port \"--loglevel\" \"verbose\"", "wrong number of arguments"));
  CHECK(start({"--port", "--bla", "--loglevel", "verbose"}).error ==
        fatal("port \"--bla\"", "argument couldn't be parsed into an integer"));
  CHECK(
      start({"--shutdown-on-sigint"}).error ==
      fatal(
          "shutdown-on-sigint",
          "argument(s) must be one of the following: default, save, nosave, now, force, failover"));
  CHECK(start({"--replicaof", "--127.0.0.1", "abc"}).error ==
        fatal("replicaof \"--127.0.0.1\" \"abc\"", "Invalid primary port"));
  CHECK(start({"--replicaof", "--127.0.0.1", "--abc"}).error ==
        fatal("replicaof \"--127.0.0.1\"", "wrong number of arguments"));
  CHECK(start({"test.conf"}, "port 1\nlogfile 'x\n").error ==
        fatal(2, "logfile 'x", "Unbalanced quotes in configuration line"));
  CHECK(start({"test.conf"}, "rename-command A\n").error ==
        fatal(1, "rename-command A", "Bad directive or wrong number of arguments"));
  CHECK(start({"none.conf"}).error.find("can't open config file 'none.conf'") != std::string::npos);
  CHECK(start({"--cluster-enabled", "yes", "--replicaof", "h", "1"})
            .error.find("replicaof directive not allowed in cluster mode") != std::string::npos);
}

TEST_CASE("a misspelt name is told, with the one that may have been meant") {
  const auto error = [](const std::string& name) { return start({"--" + name, "1"}).error; };
  CHECK(error("maxmemroy").find("There is no parameter 'maxmemroy'. Did you mean 'maxmemory'?") !=
        std::string::npos);
  CHECK(error("slavof").find("Did you mean 'slaveof'?") != std::string::npos);
  CHECK(error("io-uirng").find("Did you mean 'io-uring'?") != std::string::npos);
  CHECK(error("something-else").find("Did you mean") == std::string::npos);
  CHECK(error("key-load-dela").find("key-load-delay") == std::string::npos);  // hidden
  CHECK(start({"test.conf"}, "port 1\nmaxclient 5\n").error ==
        fatal(2, "maxclient 5",
              "Bad directive or wrong number of arguments\nThere is no parameter 'maxclient'. Did "
              "you mean 'maxclients'?"));
}

TEST_CASE("help lists topics, the parameters of one, or one parameter") {
  CHECK(help("").text.find("  memory ") != std::string::npos);
  CHECK(help("memory").text.find("  --maxmemory 0\n") != std::string::npos);
  CHECK(help("memory").text.find("--appendonly") == std::string::npos);
  CHECK(help("--appendfsync").text.find("One of: everysec, always, no.") != std::string::npos);
  CHECK(help("slaveof").text.find("--replicaof") != std::string::npos);
  CHECK_FALSE(help("maxmemroy").known);
  CHECK(help("maxmemroy")
            .text.starts_with(
                "There is no topic and no parameter 'maxmemroy'. Did you mean 'maxmemory'?"));
  for (const Section& section : sections()) {
    for (const Parameter& p : section.parameters) {
      CAPTURE(p.name);
      const bool listed =
          help("all").text.find("  --" + std::string(p.name) + " ") != std::string::npos;
      CHECK(listed == !has(p.flags, Flag::kHidden));
    }
  }
}

TEST_CASE("include reads files in place, by pattern too, and not for ever") {
  MapFiles files;
  files.files["a.conf"] = "port 1\ninclude b.conf\nhz 3\n";
  files.files["b.conf"] = "port 2\nhz 9\n";
  files.files["d/1.conf"] = "databases 4\n";
  files.files["d/2.conf"] = "bad\n";
  Registry registry;
  REQUIRE(load_text(registry, "include a.conf", files).has_value());
  CHECK(registry.settings().port == 2);
  CHECK(registry.settings().hz == 3);
  const auto bad = load_text(registry, "\ninclude d/*.conf", files);
  CHECK(registry.settings().databases == 4);
  CHECK(bad.error().file == "d/2.conf");
  CHECK(bad.error().line == 1);
  CHECK(load_text(registry, "include none/*.conf", files).has_value());
  const auto missing = load_text(registry, "include missing", files);
  CHECK(missing.error().line == 1);
  files.files["loop"] = "include loop";
  CHECK(load_text(registry, "include loop", files).error().reason ==
        "files include each other too deeply");
}
