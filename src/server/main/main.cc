// hearth-server: reads the configuration, builds a Node and runs it.
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "persistence/io/posix_fs.h"
#include "src/base/system_text.h"
#include "src/config/help.h"
#include "src/config/load.h"
#include "src/server/node.h"
#include "src/server/proc_title.h"
#include "src/server/supervisor.h"
#include "src/server/version.h"

namespace {

using namespace hearth;

constexpr std::size_t kConfigBytesMax = 64 * 1024 * 1024;

class DiskConfigFiles final : public config::ConfigFiles {
 public:
  Result<std::string> read(const std::string& path) override {
    if (path != "-") return io::read_file(disk_, path, kConfigBytesMax);
    std::string text;
    char chunk[4096];
    std::size_t n = 0;
    while ((n = std::fread(chunk, 1, sizeof chunk, stdin)) > 0 && text.size() < kConfigBytesMax)
      text.append(chunk, n);
    return text;
  }
  std::vector<std::string> matching(const std::string& pattern) override {
    std::vector<std::string> paths;
    glob_t found{};
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads, as all in this file
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
      paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    globfree(&found);
    return paths;
  }

 private:
  io::PosixFileSystem disk_;
};

std::string absolute(const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  char cwd[PATH_MAX];
  return getcwd(cwd, sizeof cwd) == nullptr ? path : std::string(cwd) + "/" + path;
}

int print_help(std::string_view topic) {
  const config::Help answer = config::help(topic);
  std::fputs(answer.text.c_str(), answer.known ? stdout : stderr);
  return answer.known ? 0 : 1;
}

void daemonize() {
  if (fork() != 0) std::_Exit(0);
  setsid();
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  if (null > STDERR_FILENO) close(null);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  ProcTitle title(argc, argv);
  if (arguments.size() == 1 && (arguments[0] == "-v" || arguments[0] == "--version")) {
    // Programs take the first number for the version of Redis whose behaviour they may expect.
    std::printf("Redis server v=%s hearth=%s bits=%zu\n", kRedisVersion, kVersion,
                sizeof(void*) * 8);
    return 0;
  }
  if (!arguments.empty() && arguments.size() <= 2 &&
      (arguments[0] == "-h" || arguments[0] == "--help")) {
    return print_help(arguments.size() == 2 ? arguments[1] : "");
  }
  setlocale(LC_COLLATE, "");  // NOLINT(concurrency-mt-unsafe)
  tzset();

  config::Registry registry;
  DiskConfigFiles files;
  const config::CommandLine line = config::parse_command_line(arguments);
  if (auto loaded = config::load(registry, line, files); !loaded) {
    std::fputs(config::fatal_text(loaded.error(), std::string("hearth ") + kVersion).c_str(),
               stderr);
    return 1;
  }
  const std::string config_file = absolute(line.config_file);
  // Before the working directory changes.
  if (const std::string warm = registry.settings().warm; !warm.empty())
    static_cast<void>(registry.replace("warm", absolute(warm)));
  const config::Settings& settings = registry.settings();
  if (!settings.dir.empty() && settings.dir != "." && chdir(settings.dir.c_str()) != 0) {
    const std::string why = system_text(errno);
    std::fprintf(stderr, "Can't chdir to '%s': %s\n", settings.dir.c_str(), why.c_str());
    return 1;
  }
  char cwd[PATH_MAX];
  if (getcwd(cwd, sizeof cwd) != nullptr) {
    if (const auto set = registry.replace("dir", cwd); !set) {
      std::fprintf(stderr, "Can't use the directory '%s': %s\n", cwd, set.error().c_str());
      return 1;
    }
  }
  // A manager that is told when the server is ready watches the process that it started.
  const Supervisor supervisor = Supervisor::find(settings.supervised);
  if (settings.daemonize && !supervisor.is_there()) daemonize();
  if (settings.daemonize && settings.pidfile.empty())
    static_cast<void>(registry.replace("pidfile", "/var/run/hearth.pid"));
  char executable[PATH_MAX] = {};
  if (readlink("/proc/self/exe", executable, sizeof executable - 1) < 0) executable[0] = '\0';

  Node node(registry, {config_file, executable, &title, supervisor});
  if (node.start() == Node::Started::kFailed) return 1;
  return node.run();
}
