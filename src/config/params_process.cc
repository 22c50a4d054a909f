#include "src/base/collation.h"
#include "src/base/parse_number.h"
#include "src/config/choices.h"
#include "src/config/tables.h"

namespace hearth::config {
namespace {

using S = Settings;

const char* shutdown_words_agree(std::string_view words) {
  const bool nosave = words.find("nosave") != std::string_view::npos;
  const std::size_t save = words.find("save");
  const bool plain_save = save == 0 || (save != std::string_view::npos && words[save - 1] == ' ');
  if (nosave && plain_save) return "shutdown options SAVE and NOSAVE can't be used simultaneously";
  return nullptr;
}

template <auto Member>
void put_shutdown(Settings& s, const Value& value) {
  ShutdownWords words;
  for (const std::string& word : value.items) {
    if (word == "save") words.save = true;
    if (word == "nosave") words.nosave = true;
    if (word == "now") words.now = true;
    if (word == "force") words.force = true;
    if (word == "failover") words.failover = true;
  }
  s.*Member = words;
}

void put_scores(Settings& s, const Value& value) {
  for (std::size_t i = 0; i < s.oom_score_adj_values.size(); ++i) {
    s.oom_score_adj_values[i] = static_cast<int>(parse_int64(value.items[i]).value_or(0));
  }
}

// Only the names that the documentation lists may stand between braces.
const char* title_template_is_known(std::string_view text) {
  static constexpr std::string_view kKnown[] = {"title",    "listen-addr", "server-mode", "port",
                                                "tls-port", "unixsocket",  "config-file"};
  while (true) {
    const std::size_t open = text.find('{');
    if (open == std::string_view::npos) return nullptr;
    const std::size_t close = text.find('}', open);
    bool known = false;
    if (close != std::string_view::npos) {
      const std::string_view name = text.substr(open + 1, close - open - 1);
      for (const std::string_view candidate : kKnown) known = known || candidate == name;
    }
    if (!known) return "template format is invalid or contains unknown variables";
    text.remove_prefix(close + 1);
  }
}

constexpr Choice kShutdownWords[] = {{"default"}, {"save"},  {"nosave"},
                                     {"now"},     {"force"}, {"failover"}};
constexpr Type kShutdown{
    .kind = Kind::kChoiceSet, .choices = kShutdownWords, .check = shutdown_words_agree};
const char* locale_exists(std::string_view name) {
  // An environment that names none that exists must not keep the server from starting.
  const bool usable = name.empty() || Collation::exists(std::string(name));
  return usable ? nullptr : "Invalid locale name";
}

constexpr Parameter kProcess[] = {
    {"daemonize", "", boolean(), "no", kImm, put<&S::daemonize>, "Run in the background."},
    {"supervised", "", choice<&S::supervised>(), "no", kImm, put<&S::supervised>,
     "The service manager that is told when the server is ready; auto looks in the environment."},
    {"pidfile", "", text(), "", kImm, put<&S::pidfile>,
     "File that holds the process id while the server runs. Empty writes none, except in the "
     "background: then /var/run/hearth.pid."},
    {"loglevel", "", choice<&S::loglevel>(), "notice", Flag::kNone, put<&S::loglevel>,
     "Least important message that is logged."},
    {"log-format", "", choice<&S::log_format>(), "legacy", Flag::kNone, put<&S::log_format>,
     "How a line of the log looks: as ever, or name=value pairs."},
    {"log-timestamp-format", "", choice<&S::log_timestamp_format>(), "legacy", Flag::kNone,
     put<&S::log_timestamp_format>,
     "How times look in the log: as ever, ISO 8601 with the time zone, or milliseconds since "
     "1970."},
    {"logfile", "", text(), "", kImm, put<&S::logfile>,
     "File for the log. Empty is standard output."},
    {"hide-user-data-from-log", "", boolean(), "yes", kIdle, nullptr,
     "Keys, values and arguments never stand in the log or in crash reports."},
    {"syslog-enabled", "", boolean(), "no", kImm, put<&S::syslog_enabled>,
     "Send the log to the system log as well."},
    {"syslog-ident", "", text(), "hearth", kImm, put<&S::syslog_ident>,
     "The name that its lines have there."},
    {"syslog-facility", "", choice<&S::syslog_facility>(), "local0", kImm, put<&S::syslog_facility>,
     "The facility that its lines have there."},
    {"dir", "", text(), "./", Flag::kProtected | Flag::kNotWhileLoading | Flag::kAlwaysApply,
     put<&S::dir>, "Working directory: snapshots, append-only files and cluster state live here."},
    {"crash-log-enabled", "", boolean(), "yes", Flag::kNone, put<&S::crash_log_enabled>,
     "Print a stack trace when the process crashes."},
    {"crash-memcheck-enabled", "", boolean(), "yes", kIdle, nullptr,
     "Memory is not tested after a crash."},
    {"use-exit-on-panic", "", boolean(), "no", Flag::kHidden, put<&S::use_exit_on_panic>,
     "End with exit instead of abort after a fatal error, so that no core file is written."},
    {"enable-debug-assert", "", boolean(), "no", kImm | Flag::kHidden | kIdle, nullptr,
     "Internal checks are always on."},
    {"watchdog-period", "", integer(0, kIntMax), "0", Flag::kHidden | kIdle, nullptr,
     "There is no software watchdog."},
    {"debug-context", "", text(), "", Flag::kHidden | kIdle, nullptr, "Stored for compatibility."},
    {"set-proc-title", "", boolean(), "yes", kImm, put<&S::set_proc_title>,
     "Show the state of the server in the process list."},
    {"proc-title-template", "", text(title_template_is_known),
     "{title} {listen-addr} {server-mode}", Flag::kNone, put<&S::proc_title_template>,
     "What the process list shows. Known: {title}, {listen-addr}, {server-mode}, {port}, "
     "{tls-port}, "
     "{unixsocket}, {config-file}."},
    {"always-show-logo", "", boolean(), "no", kImm | kIdle, nullptr, "There is no logo."},
    {"ignore-warnings", "", text(), "", kIdle, nullptr, "No start-up check needs to be silenced."},
    {"disable-thp", "", boolean(), "yes", kImm, put<&S::disable_thp>,
     "Keep out of transparent huge pages, which make a snapshot copy far more memory."},
    {"oom-score-adj", "", choice<&S::oom_score_adj>(), "no", Flag::kNone, put<&S::oom_score_adj>,
     "Tell the kernel which process to kill first when memory runs out; yes is relative."},
    {"oom-score-adj-values",
     "",
     {.kind = Kind::kScores},
     "0 200 800",
     Flag::kNone,
     put_scores,
     "Scores of a primary, a replica and a background child, -2000 to 2000, not falling."},
    {"server-cpulist", "server_cpulist", text(), "", kImm, put<&S::server_cpulist>,
     "Cores for the thread that serves clients, as in 0,2-5,8-15:2. Empty: all."},
    {"bio-cpulist", "bio_cpulist", text(), "", kImm, put<&S::bio_cpulist>,
     "Cores for the threads that free memory and wait for the disk."},
    {"aof-rewrite-cpulist", "aof_rewrite_cpulist", text(), "", kImm, put<&S::aof_rewrite_cpulist>,
     "Cores for the child that rewrites the append-only file."},
    {"bgsave-cpulist", "bgsave_cpulist", text(), "", kImm, put<&S::bgsave_cpulist>,
     "Cores for the child that writes a snapshot."},
    {"shutdown-timeout", "", integer(0, kIntMax), "10", Flag::kNone, put<&S::shutdown_timeout>,
     "Seconds to wait for replicas to receive the last writes before the server ends."},
    {"shutdown-on-sigint", "", kShutdown, "default", Flag::kNone,
     put_shutdown<&S::shutdown_on_sigint>,
     "What SIGINT does: default saves if save points are set; save, nosave, now (do not wait for "
     "replicas), force (end even if saving fails), failover (a primary first hands its place to "
     "a replica)."},
    {"shutdown-on-sigterm", "", kShutdown, "default", Flag::kNone,
     put_shutdown<&S::shutdown_on_sigterm>, "The same for SIGTERM."},
    {"extended-redis-compatibility", "", boolean(), "no", kIdle, nullptr,
     "HELLO and INFO always give the name and version that clients expect."},
    {"availability-zone", "", text(), "", Flag::kNone, put<&S::availability_zone>,
     "Free text that INFO and HELLO report, for clients that prefer a near node."},
    {"locale-collate", "", text(locale_exists), "", Flag::kNone, put<&S::locale_collate>,
     "The locale in whose order SORT ALPHA without STORE gives texts; empty: that of the "
     "environment (LC_ALL, LC_COLLATE, LANG)."},
    {"include",
     "",
     {.kind = Kind::kLines},
     "",
     kImm | Flag::kHidden,
     nullptr,
     "Reads another file, or several by a pattern, at this place."},
};

constexpr Parameter kAccess[] = {
    {"requirepass", "", text(), "", Flag::kSensitive, put<&S::requirepass>,
     "Password of the default user. Empty asks for none."},
    {"aclfile", "", text(), "", kImm, put<&S::aclfile>,
     "File with user definitions, instead of `user` directives."},
    {"user",
     "",
     {.kind = Kind::kLines},
     "",
     kImm | Flag::kSensitive,
     nullptr,
     "Defines one user: name and rules. May be repeated."},
    {"acl-pubsub-default", "", choice<&S::acl_pubsub_default>(), "resetchannels", Flag::kNone,
     put<&S::acl_pubsub_default>, "Channels that a new user may use before any channel rule."},
    {"acllog-max-len", "", integer(0, kLongMax), "128", Flag::kNone, put<&S::acllog_max_len>,
     "Most entries that ACL LOG keeps."},
    {"rename-command",
     "",
     {.kind = Kind::kLines},
     "",
     kImm,
     nullptr,
     "Gives a command another name; an empty new name removes it. May be repeated."},
    {"enable-protected-configs", "", choice<&S::enable_protected_configs>(), "no", kImm,
     put<&S::enable_protected_configs>,
     "Whether CONFIG SET may change dir, dbfilename and the like: no, yes, or local clients only."},
    {"enable-debug-command", "", choice<&S::enable_debug_command>(), "no", kImm,
     put<&S::enable_debug_command>, "Whether DEBUG may be used: no, yes, or local clients only."},
    {"enable-module-command", "", choice<&S::enable_module_command>(), "no", kImm,
     put<&S::enable_module_command>, "Whether MODULE may be used: no, yes, or local clients only."},
    {"loadmodule",
     "",
     {.kind = Kind::kLines},
     "",
     kImm,
     nullptr,
     "Names a module. The server has no module interface and refuses to start with one."},
};

}  // namespace

std::span<const Parameter> process_parameters() { return kProcess; }
std::span<const Parameter> access_parameters() { return kAccess; }

}  // namespace hearth::config
