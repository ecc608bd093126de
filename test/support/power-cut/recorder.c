/*
 * Writes down what a process does to the files of one folder, in the order in which it does it, so that a power cut at
 * any moment can be played afterwards. Loaded by LD_PRELOAD; it stands between the process and the C library.
 *
 *   POWER_CUT_FOLDER   the folder, as an absolute path; SQLite's shared memory (-shm) in it is left out
 *   POWER_CUT_LOG      the file to write to, outside of the folder
 *
 * The log is a row of records; numbers are little-endian:
 *
 *   0       1       4           8                 16            20      24
 *   | kind  |   0   |  handle   |     number      |   length    |   0   | length bytes ...
 *
 * A record is written before its operation takes place, but for `SYNCED`, which is written when fsync has returned: so
 * what the log calls synced is, wherever the process is killed. `FAILED` takes the record before it back. One lock is held
 * around record and operation: the log's order is the files' order.
 */
#include "recorder.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || __SIZEOF_POINTER__ != 8
#error "the log's numbers are little-endian, and off_t has 64 bits"
#endif

struct record {
  uint8_t kind;
  uint8_t zeroes[3];
  uint32_t handle;
  uint64_t number;
  uint32_t length;
  uint32_t zero;
};

/* A descriptor of a watched file. It may be closed and used again where no one tells us: hence device and inode. */
struct watched {
  uint32_t handle;
  dev_t device;
  ino_t inode;
};

enum { MAX_DESCRIPTORS = 65536 };

static struct watched descriptors[MAX_DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int log_descriptor = -1;

void give_up(const char *why) {
  fprintf(stderr, "recorder: %s: %s\n", why, strerror(errno));
  abort();
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("POWER_CUT_LOG");
  folder = getenv("POWER_CUT_FOLDER");
  if (folder == NULL || path == NULL) return;
  folder_length = strlen(folder);
  log_descriptor = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_descriptor < 0) give_up(path);
}

void note(enum kind kind, uint32_t handle, uint64_t number, const void *bytes, size_t length) {
  struct record head = {.kind = kind, .handle = handle, .number = number, .length = length};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)bytes, length}};
  if (REAL(writev)(log_descriptor, parts, 2) != (ssize_t)(sizeof head + length)) give_up("the log");
}

const char *watched_name(const char *path) {
  if (log_descriptor < 0 || strncmp(path, folder, folder_length) != 0) return NULL;
  const char *rest = path + folder_length;
  if (*rest != '/' && *rest != '\0') return NULL;
  size_t length = strlen(rest);
  if (length > 4 && strcmp(rest + length - 4, "-shm") == 0) return NULL;
  while (*rest == '/') rest += 1;
  return rest;
}

static __thread sigset_t mask_before;

/* Signals wait as long as we hold the lock: a handler that writes, as libuv's does, would wait for it for ever. */
void take_lock(void) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &mask_before);
  pthread_mutex_lock(&lock);
}

void give_lock(void) {
  sigset_t mask = mask_before;
  pthread_mutex_unlock(&lock);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* Without the lock: a descriptor that was never a watched file's, such as a socket's, costs no more than this. */
static int may_be_watched(int descriptor) {
  return descriptor >= 0 && descriptor < MAX_DESCRIPTORS &&
         __atomic_load_n(&descriptors[descriptor].handle, __ATOMIC_RELAXED) != 0;
}

uint32_t take_handle(int descriptor) {
  if (!may_be_watched(descriptor)) return 0;
  take_lock();
  struct watched *entry = &descriptors[descriptor];
  struct stat status;
  if (entry->handle != 0 && fstat(descriptor, &status) == 0 && status.st_dev == entry->device &&
      status.st_ino == entry->inode)
    return entry->handle;
  entry->handle = 0;
  give_lock();
  return 0;
}

void remember(int descriptor, uint32_t handle) {
  struct stat status;
  if (descriptor >= MAX_DESCRIPTORS || fstat(descriptor, &status) != 0) give_up("a descriptor");
  descriptors[descriptor] = (struct watched){handle, status.st_dev, status.st_ino};
}

void forget(int descriptor) {
  if (!may_be_watched(descriptor)) return;
  take_lock();
  descriptors[descriptor].handle = 0;
  give_lock();
}

uint32_t new_handle(void) {
  static uint32_t last;
  last += 1;
  return last;
}
