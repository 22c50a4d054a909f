// Replays a corpus without libFuzzer: every file, every file cut at each of its first bytes, and
// every file with single bytes changed by a seeded generator. Large files get fewer rounds. With a
// number of seconds it goes on for that long: the inputs are the same each time, how many of them
// there are is up to the machine.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "src/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t inputs = 0;

void feed(const std::string& bytes) {
  ++inputs;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

// Some bytes changed, a part cut out, or the beginning of one file with the end of another.
std::string changed_file(const std::vector<std::string>& files, hearth::Rng& rng) {
  std::string bytes = files[rng.below(files.size())];
  if (bytes.empty()) return bytes;
  if (rng.below(8) == 0) {
    const std::string& other = files[rng.below(files.size())];
    return bytes.substr(0, rng.below(bytes.size())) +
           (other.empty() ? other : other.substr(rng.below(other.size())));
  }
  if (rng.below(8) == 0) bytes.erase(rng.below(bytes.size()), 1 + rng.below(16));
  for (std::uint64_t n = rng.below(5); n > 0 && !bytes.empty(); --n)
    bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3)
    return std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY [SECONDS]\n", argv[0]), 2;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::string> all;
  std::size_t files = 0;
  hearth::Rng rng(1);
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    all.push_back(bytes);
    feed(bytes);
    for (std::size_t cut = 0; cut < bytes.size() && cut < 512; ++cut) feed(bytes.substr(0, cut));
    const int rounds = bytes.size() > 1024 ? 100 : 1000;
    for (int i = 0; i < rounds && !bytes.empty(); ++i) {
      std::string changed = bytes;
      for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
        changed[rng.below(changed.size())] = static_cast<char>(rng.next());
      }
      feed(changed);
    }
    ++files;
  }
  if (files == 0) return std::fprintf(stderr, "%s: the corpus is empty\n", argv[1]), 1;
  const std::chrono::seconds limit(argc == 3 ? std::atoi(argv[2]) : 0);
  while (std::chrono::steady_clock::now() - start < limit) {
    for (int i = 0; i < 100; ++i) feed(changed_file(all, rng));
  }
  std::printf("%zu corpus files replayed, %zu inputs\n", files, inputs);
  return 0;
}
