#include "src/server/node.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "persistence/io/posix_fs.h"
#include "src/base/log.h"
#include "src/base/system_text.h"
#include "src/command/debug_switches.h"
#include "src/command/progress_source.h"
#include "src/command/script_control.h"
#include "src/commands/all.h"
#include "src/config/rewrite.h"
#include "src/server/cpu_list.h"
#include "src/server/crash.h"
#include "src/server/insist.h"
#include "src/server/version.h"
#include "src/store/memory.h"

namespace hearth {
namespace {

constexpr std::size_t kTextFileBytesMax = 64 * 1024 * 1024;

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    seed = static_cast<std::uint64_t>(SystemClock().unix_now().ms) ^
           (static_cast<std::uint64_t>(getpid()) << 40);
  }
  return seed;
}

ProcessFacts::Cpu cpu_times() {
  const auto in_seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  rusage self{}, children{}, thread{};
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  getrusage(RUSAGE_THREAD, &thread);
  return {in_seconds(self.ru_utime),     in_seconds(self.ru_stime),   in_seconds(children.ru_utime),
          in_seconds(children.ru_stime), in_seconds(thread.ru_utime), in_seconds(thread.ru_stime)};
}

ProcessFacts process_facts(const std::string& executable, const std::string& config_file,
                           Rng& rng) {
  ProcessFacts facts;
  facts.version = kRedisVersion;
  facts.hearth_version = kVersion;
  facts.run_id = rng.hex(40);
  facts.build_id = "0";
  facts.pid = getpid();
  facts.executable = executable;
  facts.config_file = config_file;
  facts.arch_bits = static_cast<int>(sizeof(void*) * 8);
  facts.compiler = __VERSION__;
  utsname name{};
  if (uname(&name) == 0)
    facts.os = std::string(name.sysname) + " " + name.release + " " + name.machine;
  struct sysinfo memory {};
  if (sysinfo(&memory) == 0)
    facts.total_system_memory = static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit;
  facts.cpu = cpu_times;
  return facts;
}

void apply_log_settings(const config::Settings& s) {
  log::set_level(static_cast<log::Level>(s.loglevel));
  log::set_format(static_cast<log::Format>(s.log_format));
  log::set_timestamp(static_cast<log::Timestamp>(s.log_timestamp_format));
}

int facility_number(config::SyslogFacility facility) {
  constexpr int kNumbers[] = {LOG_USER,   LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                              LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
  return kNumbers[static_cast<unsigned>(facility)];
}

}  // namespace

Node::Node(config::Registry& config, Options options)
    : config_(config),
      options_(std::move(options)),
      streams_(&loop_),
      migration_(streams_, [this] { network_->refresh_time(); }),
      disk_(config.settings().data_file_mode),
      children_(&loop_, clock_),
      disk_thread_([this] { uv_async_send(&disk_wake_); }) {
  memory::register_thread();
  uv_loop_init(&loop_);
  // Only wakes the loop: the end of every turn asks the thread.
  uv_async_init(&loop_, &disk_wake_, [](uv_async_t*) {});
  uv_unref(reinterpret_cast<uv_handle_t*>(&disk_wake_));
}

Node::~Node() {
  // The sessions end before their engine, the handles before their loop.
  close_handles();
  disk_thread_.finish();  // it wakes nobody any more
  uv_close(reinterpret_cast<uv_handle_t*>(&disk_wake_), nullptr);
  close_leftover_handles();
  if (engine_ != nullptr) network_->run();
  uv_run(&loop_, UV_RUN_NOWAIT);
  scripts_.reset();
  engine_.reset();
  network_.reset();
  uv_loop_close(&loop_);
}

bool Node::open_log() {
  const config::Settings& s = config_.settings();
  apply_log_settings(s);
  if (auto opened = log::open(s.logfile); !opened) {
    std::fprintf(stderr, "Can't open the log file: %s\n", opened.error().context.c_str());
    return false;
  }
  if (s.syslog_enabled) log::open_syslog(s.syslog_ident, facility_number(s.syslog_facility));
  set_crash_log(s.logfile.c_str());
  return true;
}

std::size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  return pages <= 0 || page <= 0 ? OutBuffer::kMost
                                 : static_cast<std::size_t>(pages) * static_cast<std::size_t>(page);
}

// Tells the kernel of this process and its threads.
bool Node::set_up_process() {
  const config::Settings& s = config_.settings();
  if (!raise_file_limit()) return false;
  if (auto applied = apply_oom_score(); !applied) log::warning("{}", applied.error());
  if (s.disable_thp && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
    log::warning("Can't keep out of transparent huge pages: {}", system_text(errno));
  memory::set_background_thread(s.jemalloc_bg_thread);
  config_.on_change({"jemalloc-bg-thread"},
                    [](const config::Settings& now) -> Result<void, std::string> {
                      memory::set_background_thread(now.jemalloc_bg_thread);
                      return {};
                    });
  pin_thread(pthread_self(), "server-cpulist", s.server_cpulist);
  pin_thread(reclaimer_.thread(), "bio-cpulist", s.bio_cpulist);
  pin_thread(disk_thread_.thread(), "bio-cpulist", s.bio_cpulist);
  return true;
}

Node::Started Node::start() {
  if (!open_services()) return Started::kFailed;
  write_pid_file();
  log::notice("Server initialized");
  show_title();
  open_signals();
  network_->start({.each_tick =
                       [this] {
                         shutdown_if_asked();
                         persistence_->tick();
                         replication_->tick();
                         follower_->tick();
                         if (slot_moves_ != nullptr) slot_moves_->tick();
                         hot_list_file_->tick();
                         sidecar_.tick();
                       },
                   .before_replies =
                       [this] {
                         persistence_->end_turn();
                         replication_->end_turn();
                         follower_->end_turn();
                         handover_->end_turn();
                         if (cluster_ != nullptr) cluster_->end_turn();
                         if (slot_moves_ != nullptr) slot_moves_->end_turn();
                       },
                   .after_gap =
                       [this] {
                         if (cluster_ != nullptr) cluster_->woke();
                       }});
  if (!load_data()) return stopping_ ? Started::kStopped : Started::kFailed;
  if (stopping_) return Started::kStopped;
  const config::Settings& s = config_.settings();
  if (const auto& position = persistence_->loaded_position()) {
    using Role = replication::PrimarySide::Role;
    const bool follows = cluster_ != nullptr ? cluster_->is_replica() : !s.replicaof.host.empty();
    replication_->resume(*position, follows ? Role::kReplica : Role::kPrimary);
  }
  if (cluster_ != nullptr)
    cluster_->data_loaded();
  else
    follower_->start();
  if (s.port != 0) log::notice("Ready to accept connections tcp");
  if (!s.unixsocket.empty()) log::notice("Ready to accept connections unix");
  begin_warming();
  return Started::kServing;
}

void Node::begin_warming() {
  WarmGate& gate = engine_->warm_gate();
  bool has_data = false;
  for (DbIndex i = 0; i < engine_->keyspace().db_count(); ++i)
    has_data = has_data || engine_->keyspace().db(i).size() > 0;
  gate.serve(has_data);
  if (gate.is_closed()) options_.supervisor.wait_longer(config_.settings().warm_gate_deadline);
  gate.when_open([this] { options_.supervisor.ready(); });
  const std::string& self = options_.executable;
  const std::string folder = self.substr(0, self.rfind('/') + 1);
  sidecar_.start({&loop_, &clock_, &config_.settings(), folder + "cache-warm",
                  [this](const SidecarPolicy& policy) {
                    engine_->warm_gate().tell_loader(policy.state_name(), policy.runs());
                  }});
}

// Everything but the data. On failure the reason was logged.
bool Node::open_services() {
  const config::Settings& s = config_.settings();
  if (!open_log()) return false;
  set_exit_on_panic(s.use_exit_on_panic);
  if (s.crash_log_enabled) install_crash_handlers();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);

  log::notice("hearth {} is starting, speaking as Redis {}, {} bit, {} mode, port {}, PID: {}",
              kVersion, kRedisVersion, sizeof(void*) * 8,
              s.cluster_enabled ? "cluster" : "standalone", s.port, getpid());
  if (options_.config_file.empty())
    log::notice("No config file specified, using the default config.");
  else
    log::notice("Configuration loaded from {}", options_.config_file);
  if (!set_up_process()) return false;
  if (s.supervised != config::Supervised::kNo && s.supervised != config::Supervised::kAuto &&
      !options_.supervisor.is_there())
    log::warning("supervised: no service manager of that kind started this process.");

  Rng rng(random_seed());
  const std::vector<const CommandSpec*> specs = all_commands();
  commands_ = std::make_unique<CommandTable>(specs);
  for (const auto& [from, to] : s.renamed_commands) {
    if (!commands_->rename(from, to)) {
      log::warning("rename-command: '{}' does not exist or '{}' does", from, to);
      return false;
    }
  }
  if (s.cluster_enabled && !s.replicaof.host.empty()) {
    log::warning("replicaof directive not allowed in cluster mode");
    return false;
  }
  network_ = std::make_unique<net::Network>(
      net::Network::Options{&loop_, &config_, &clock_, thread_cpu_us});
  if (s.cluster_enabled) {
    cluster_ = std::make_unique<ClusterBus>(
        ClusterBus::Options{&loop_, &config_, &clock_, &disk_, rng.next()});
  }
  Persistence::Ports ports;
  ports.config = &config_;
  ports.disk = &disk_;
  ports.children = &children_;
  ports.disk_thread = &disk_thread_;
  ports.clock = &clock_;
  ports.sleep = [this](microseconds by) { stand_still(by); };
  ports.pid = getpid();
  ports.is_alive = [](int pid) { return kill(pid, 0) == 0 || errno != ESRCH; };
  ports.stream_position = [this] { return replication_->position(); };
  const auto wants_changed = [this] {
    engine_->want_commands(persistence_->wants_commands() || replication_->wants_commands() ||
                           (slot_moves_ != nullptr && slot_moves_->wants_commands()));
  };
  ports.wants_changed = wants_changed;
  ports.give_up = [] { std::_Exit(1); };
  persistence_ = std::make_unique<Persistence>(std::move(ports));
  replication_ = std::make_unique<Replication>(Replication::Ports{
      &loop_, &config_, &disk_, &children_, &clock_, persistence_.get(), getpid(), wants_changed});
  make_follower();
  Engine::Options o;
  o.seed = rng.next();
  o.config = &config_;
  o.commands = commands_.get();
  o.host = network_.get();
  o.ticks = nano_ticks;
  o.reclaimer = &reclaimer_;
  o.server = this;
  o.migration = &migration_;
  o.cluster = cluster_.get();
  o.persistence = persistence_.get();
  o.replication = replication_.get();
  o.replica = follower_.get();
  o.output_most = std::min(OutBuffer::kMost, physical_memory() / 2);
  o.now = clock_.unix_now();
  o.mono = clock_.mono_now();
  o.facts = process_facts(options_.executable, options_.config_file, rng);
  o.facts.multiplexing_api = network_->multiplexing_api();
  o.facts.process_supervised = options_.supervisor.name();
  static_cast<void>(nano_ticks());  // calibrates before the first command
  engine_ = std::make_unique<Engine>(std::move(o));
  network_->attach(*engine_);
  shutdown_wait_.emplace(*engine_, *replication_,
                         ShutdownWait::Handover{[this] { return begin_handover(); },
                                                [this] { return has_handed_over(); },
                                                [this] { static_cast<void>(handover_->abort()); }});
  handover_.emplace(
      HandoverDriver::Parts{engine_.get(), replication_.get(), follower_.get(), &config_});
  engine_->services().handover = &*handover_;
  hot_list_file_.emplace(HotListFile::Parts{engine_.get(), &disk_, &disk_thread_});
  hot_list_file_->load();
  const script::Identity identity{kRedisVersion, "hearth", kVersion};
  scripts_ = std::make_unique<script::Runtime>(engine_->script_runs(), identity);
  engine_->services().scripts = scripts_.get();
  if (auto loaded = engine_->accounts().load_configured(); !loaded) {
    log::warning("Aborting the start because of ACL errors: {}", loaded.error());
    return false;
  }
  const auto load_into = [](script::Runtime& scripts, const std::string& source,
                            bool replace) -> Result<void> {
    const auto loaded = scripts.load_library(source, replace, milliseconds(0));
    if (!loaded) return fail(ErrorCode::kCorrupt, loaded.error().text);
    return {};
  };
  persistence_->set_libraries(
      {.sources =
           [this] {
             std::vector<std::string> codes;
             scripts_->for_each_library(
                 [&](const ScriptLibrary& library) { codes.push_back(library.code); });
             return codes;
           },
       .load = [this, load_into](const std::string& source,
                                 bool replace) { return load_into(*scripts_, source, replace); },
       .clear = [this] { scripts_->flush_libraries(); },
       .begin_trial = [this, load_into, identity]() -> Persistence::Libraries::Trial {
         auto scripts = std::make_shared<script::Runtime>(engine_->script_runs(), identity);
         return [scripts, load_into](const std::string& source) {
           return load_into(*scripts, source, false);
         };
       }});
  persistence_->attach(*engine_);
  replication_->attach(*engine_);
  follower_->attach(*engine_);
  engine_->services().progress = replication_.get();
  engine_->add_sink(*replication_);
  engine_->add_sink(persistence_->sink());
  children_.set_child_hook([this](ChildLauncher::Kind kind) {
    log::set_role('C');
    const config::Settings& now = config_.settings();
    if (kind == ChildLauncher::Kind::kSnapshot)
      pin_thread(pthread_self(), "bgsave-cpulist", now.bgsave_cpulist);
    else
      pin_thread(pthread_self(), "aof-rewrite-cpulist", now.aof_rewrite_cpulist);
    // The parent has logged what can't be applied.
    static_cast<void>(oom_score_.apply(config_.settings(), OomScore::Role::kBackgroundChild));
  });
  children_.open();
  services_open_ = true;
  install_hooks();

  if (auto listening = network_->listen(); !listening) {
    log::warning("{}, aborting.", listening.error().context);
    return false;
  }
  if (cluster_ != nullptr) {
    if (auto started = cluster_->start({engine_.get(), replication_.get(), follower_.get(),
                                        [this] { network_->refresh_time(); }});
        !started) {
      log::warning("{}", started.error().context);
      log::warning("The cluster bus could not be started, aborting.");
      return false;
    }
    make_slot_moves(rng.next(), wants_changed);
  }
  return true;
}

void Node::make_slot_moves(std::uint64_t seed, std::function<void()> wants_changed) {
  SlotMoves::Parts parts;
  parts.loop = &loop_;
  parts.engine = engine_.get();
  parts.cluster = cluster_.get();
  parts.requests = &migration_;
  parts.streams = &streams_;
  parts.drops = &cluster_->drops();
  parts.clock = &clock_;
  parts.published = [this] { return cluster_->published(); };
  parts.refresh_time = [this] { network_->refresh_time(); };
  parts.wants_changed = std::move(wants_changed);
  parts.seed = seed;
  slot_moves_ = std::make_unique<SlotMoves>(std::move(parts));
  engine_->services().slot_migrations = slot_moves_.get();
  engine_->add_sink(*slot_moves_);
}

void Node::open_signals() {
  signals_open_ = true;
  for (uv_signal_t* handle : {&sigterm_, &sigint_}) {
    uv_signal_init(&loop_, handle);
    handle->data = this;
  }
  uv_async_init(&loop_, &stop_,
                [](uv_async_t* handle) { static_cast<Node*>(handle->data)->stop_serving(); });
  stop_.data = this;
  uv_signal_start(&sigterm_, on_signal, SIGTERM);
  uv_signal_start(&sigint_, on_signal, SIGINT);
}

// Clients are heard while the data is loaded, and told to wait.
bool Node::load_data() {
  return persistence_->load_at_start([this] {
    network_->run_once();
    return !stopping_;
  });
}

void Node::make_follower() {
  Follower::Ports ports;
  ports.config = &config_;
  ports.disk = &disk_;
  ports.clock = &clock_;
  ports.persistence = persistence_.get();
  ports.replication = replication_.get();
  ports.pid = getpid();
  ports.refresh_time = [this] { network_->refresh_time(); };
  ports.load_due = [this] { network_->leave(); };
  ports.role_changed = [this] {
    log::set_role(follower_->is_replica() ? 'S' : 'M');
    if (auto applied = apply_oom_score(); !applied) log::warning("{}", applied.error());
  };
  follower_ = std::make_unique<Follower>(std::move(ports));
  primary_link_ = std::make_unique<StreamPrimaryLink>(streams_, *follower_);
  follower_->set_link(*primary_link_);
}

int Node::run() {
  for (;;) {
    // It ends when nothing is left to do, or to let a primary's snapshot be loaded outside of it.
    network_->run();
    if (!follower_->is_load_due() || stopping_) break;
    follower_->load([this] {
      network_->run_once();
      return !stopping_;
    });
  }
  if (stopping_) network_->run();
  log::notice("hearth is now ready to exit, bye bye...");
  return 0;
}

void Node::install_hooks() {
  config_.on_change({"loglevel", "log-format", "log-timestamp-format"},
                    [](const config::Settings& s) -> Result<void, std::string> {
                      apply_log_settings(s);
                      return {};
                    });
  config_.on_change({"use-exit-on-panic"},
                    [](const config::Settings& s) -> Result<void, std::string> {
                      set_exit_on_panic(s.use_exit_on_panic);
                      return {};
                    });
  config_.on_change({"logfile"}, [](const config::Settings& s) -> Result<void, std::string> {
    if (auto opened = log::open(s.logfile); !opened)
      return tl::unexpected<std::string>(opened.error().context);
    set_crash_log(s.logfile.c_str());
    return {};
  });
  config_.on_change({"maxclients"}, [this](const config::Settings&) -> Result<void, std::string> {
    if (!raise_file_limit()) return tl::unexpected<std::string>("too few files may be open");
    return {};
  });
  config_.on_change({"proc-title-template", "port", "bind", "unixsocket"},
                    [this](const config::Settings&) -> Result<void, std::string> {
                      show_title();
                      return {};
                    });
  config_.on_change({"oom-score-adj", "oom-score-adj-values"},
                    [this](const config::Settings&) { return apply_oom_score(); });
  config_.on_change({"data-file-mode"},
                    [this](const config::Settings& s) -> Result<void, std::string> {
                      disk_.set_file_mode(s.data_file_mode);
                      return {};
                    });
  config_.on_change({"dir"}, [this](const config::Settings& s) -> Result<void, std::string> {
    if (chdir(s.dir.c_str()) != 0)
      return tl::unexpected<std::string>("Changing directory: " + std::string(uv_strerror(-errno)));
    char absolute[4096];
    if (getcwd(absolute, sizeof absolute) == nullptr) return {};
    return config_.replace("dir", absolute);
  });
}

Result<void, std::string> Node::apply_oom_score() {
  const config::Settings& s = config_.settings();
  const bool follows = follower_ == nullptr ? !s.replicaof.host.empty() : follower_->is_replica();
  return oom_score_.apply(s, follows ? OomScore::Role::kReplica : OomScore::Role::kPrimary);
}

void Node::show_title() {
  const config::Settings& s = config_.settings();
  if (options_.title == nullptr || !s.set_proc_title) return;
  options_.title->show(proc_title_text(s, options_.title->program(), options_.config_file));
}

bool Node::raise_file_limit() {
  // Descriptors for clients, and some for the server itself.
  constexpr rlim_t kOwn = 32;
  // With fewer the server is of no use: its operator meant something else.
  constexpr rlim_t kClientsLeast = 10;
  const rlim_t maxclients = config_.settings().maxclients;
  const rlim_t wanted = maxclients + kOwn;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return true;
  const rlim_t hard = limit.rlim_max;
  limit = {wanted, std::max(hard, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return true;
  limit = {hard, hard};
  setrlimit(RLIMIT_NOFILE, &limit);
  if (hard < kOwn + kClientsLeast) {
    log::warning(
        "The system allows {} open files, which is not enough to start: the server needs {} for "
        "itself and one for each client. Please raise 'ulimit -n'.",
        hard, kOwn);
    return false;
  }
  const rlim_t possible = hard - kOwn;
  log::warning("The system allows {} open files: maxclients is reduced from {} to {}", hard,
               maxclients, possible);
  if (auto set = config_.replace("maxclients", std::to_string(possible)); !set)
    log::warning("maxclients: {}", set.error());
  return true;
}

void Node::on_signal(uv_signal_t* handle, int number) {
  auto* self = static_cast<Node*>(handle->data);
  if ((self->stopping_ || self->asked_) && number == SIGINT) {
    log::warning("You insist... exiting now.");
    std::_Exit(1);
  }
  log::warning("Received {} scheduling shutdown...", number == SIGTERM ? "SIGTERM" : "SIGINT");
  const config::ShutdownWords& words = number == SIGTERM
                                           ? self->config_.settings().shutdown_on_sigterm
                                           : self->config_.settings().shutdown_on_sigint;
  self->asked_ = ShutdownRequest{words.save, words.nosave, words.now, words.force, words.failover};
}

// With the other background work, so that clients have a moment to take it back.
void Node::shutdown_if_asked() {
  if (engine_->services().debug->pause_cron) return;
  // The reason of a refusal was logged; there is nobody else to tell.
  if (asked_) static_cast<void>(begin_shutdown(*std::exchange(asked_, std::nullopt), nullptr));
  if (const auto due = shutdown_wait_->poll()) {
    const Outcome done = finish_shutdown(*due);
    if (!done) {
      log::warning("Errors trying to shut down the server. Check the logs for more information.");
      shutdown_wait_->give_up(done.error().text);
    }
  }
}

bool Node::abort_shutdown() {
  if (stopping_ || (!asked_ && !shutdown_wait_->is_under_way())) return false;
  asked_.reset();
  if (shutdown_wait_->is_under_way()) shutdown_wait_->give_up(kShutdownRefused);
  log::notice("Shutdown manually aborted.");
  return true;
}

std::optional<milliseconds> Node::shutdown_left() const { return shutdown_wait_->left(); }

Outcome Node::shutdown(const ShutdownRequest& request, Session& asker) {
  return begin_shutdown(request, &asker);
}

// False: there is nobody to hand over to, or nothing.
bool Node::begin_handover() {
  if (follower_->is_replica()) return false;
  if (cluster_ == nullptr) return handover_->begin({}).has_value();
  const auto reply = cluster_->administer(cluster::admin::HandOver{}, nullptr);
  return reply && !reply->is_error();
}

bool Node::has_handed_over() const { return follower_->is_replica() && !handover_->is_under_way(); }

Outcome Node::begin_shutdown(const ShutdownRequest& request, Session* asker) {
  if (stopping_) return {};
  log::notice("User requested shutdown...");
  const bool may_wait =
      !request.now && !persistence_->is_loading() && !engine_->script_runs().running_script();
  if (may_wait && shutdown_wait_->is_under_way()) {
    if (asker != nullptr) shutdown_wait_->join(*asker);
    return {};
  }
  if (may_wait && shutdown_wait_->begin(request, asker, config_.settings().shutdown_timeout))
    return {};
  return finish_shutdown(request);
}

Outcome Node::finish_shutdown(const ShutdownRequest& request) {
  {
    const InsistGuard guard(persistence_->temp_snapshot_path().c_str());
    // The position in the file is where the stream ends.
    replication_->freeze(true);
    follower_->freeze(true);
    if (auto prepared = persistence_->prepare_shutdown(request); !prepared) {
      replication_->freeze(false);
      follower_->freeze(false);
      return prepared;
    }
  }
  stopping_ = true;
  sidecar_.stop();
  hot_list_file_->save();
  options_.supervisor.stopping();
  engine_->stop();
  engine_->script_runs().abandon_script();
  // The session that asks is in the middle of its command: nothing may close under it.
  uv_async_send(&stop_);
  return {};
}

void Node::stop_serving() {
  if (engine_->script_runs().running_script()) {
    // This is a turn inside the script's: it ends first.
    uv_async_send(&stop_);
    return;
  }
  close_handles();
}

// Not before the port is ours: a second server that is started by mistake leaves the first one's
// file alone.
void Node::write_pid_file() {
  const std::string& path = config_.settings().pidfile;
  if (path.empty()) return;
  if (std::FILE* f = std::fopen(path.c_str(), "w")) {
    std::fprintf(f, "%d\n", static_cast<int>(getpid()));
    std::fclose(f);
    pid_file_ = path;
  } else {
    log::warning("Can't write the pid file {}: {}", path, system_text(errno));
  }
}

void Node::close_handles() {
  if (!pid_file_.empty()) unlink(std::exchange(pid_file_, {}).c_str());
  if (std::exchange(signals_open_, false)) {
    uv_close(reinterpret_cast<uv_handle_t*>(&sigterm_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&sigint_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&stop_), nullptr);
  }
  if (engine_ != nullptr) network_->stop();
  migration_.stop();
  sidecar_.close();
  if (std::exchange(services_open_, false)) {
    children_.close();
    follower_->close();
    replication_->close();
  }
  if (slot_moves_ != nullptr) {
    engine_->services().slot_migrations = nullptr;
    slot_moves_->stop();
  }
  if (cluster_ != nullptr) cluster_->stop();
}

// A handle that its owner forgot would keep the loop, and with it the process, for ever.
void Node::close_leftover_handles() {
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        if (uv_is_closing(handle) != 0) return;
        log::warning("A {} handle was left open at the end.", uv_handle_type_name(handle->type));
        uv_close(handle, nullptr);
      },
      nullptr);
}

void Node::stand_still(microseconds duration) {
  timespec t{duration.count() / 1'000'000, (duration.count() % 1'000'000) * 1000};
  nanosleep(&t, nullptr);
  // All that comes after it in this loop turn is that much later.
  engine_->set_time(clock_.unix_now(), clock_.mono_now());
}

void Node::crash(std::string_view how) {
  log::warning("DEBUG {}", how);
  if (how == "segfault") {
    std::raise(SIGSEGV);
  }
  std::abort();
}

mode_t Node::mode_of(const std::string& path) const {
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0) return found.st_mode & 0777;
  return config_.settings().data_file_mode;
}

Result<void> Node::rewrite_config(RewriteExtent extent) {
  if (options_.config_file.empty())
    return fail(ErrorCode::kInvalid, "The server is running without a config file");
  // It may hold passwords: who may read it stays as it is.
  io::PosixFileSystem disk(mode_of(options_.config_file));
  std::string old_text;
  if (auto text = io::read_file(disk, options_.config_file, kTextFileBytesMax))
    old_text = std::move(*text);
  config::RewriteOptions options;
  if (extent == RewriteExtent::kEverything) options.scope = config::RewriteScope::kEverything;
  options.users = engine_->accounts().directives();
  return io::write_file_atomically(disk, options_.config_file,
                                   config::rewritten(config_, old_text, options));
}

Result<std::string> Node::read_text(const std::string& path) {
  io::PosixFileSystem disk;
  return io::read_file(disk, path, kTextFileBytesMax);
}

Result<void> Node::replace_text(const std::string& path, std::string_view text) {
  io::PosixFileSystem disk(mode_of(path));
  return io::write_file_atomically(disk, path, text);
}

std::string Node::secret_hex(std::size_t length) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(length, '0');
  for (std::size_t done = 0; done < length;) {
    unsigned char bytes[256];
    const ssize_t n = getrandom(bytes, std::min(sizeof bytes, length - done), 0);
    for (ssize_t i = 0; i < n; ++i) text[done++] = kDigits[bytes[i] & 15];
  }
  return text;
}

std::int64_t Node::unix_micros(UnixMillis) { return clock_.unix_micros(); }

}  // namespace hearth
