/*
 * The recorder's parts: recorder.c keeps the log and knows which descriptors are watched, wrappers.c stands in the place of
 * the C library's functions.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

enum kind {
  OPENED = 1,    /* handle; number: 1 it was made, 2 it was emptied; bytes: its path within the folder */
  WRITTEN = 2,   /* handle; number: offset; bytes */
  TRUNCATED = 3, /* handle; number: size */
  SYNCED = 4,    /* handle, of a file or a folder */
  REMOVED = 5,   /* bytes: path */
  RENAMED = 6,   /* bytes: path, NUL, new path */
  FOLDER = 7,    /* bytes: path of a folder that is made */
  FAILED = 8,    /* number: so many bytes of the write before were written after all */
  UNKNOWN = 9    /* bytes: name of a function whose effect no record can tell */
};

/* The C library's own function, which ours stands before. */
#define REAL(name)                                                          \
  ({                                                                        \
    static __typeof__(&name) found;                                         \
    if (found == NULL) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name);  \
    found;                                                                  \
  })

/* Takes the lock and gives the handle; where the descriptor is not watched, gives 0 and takes no lock. */
uint32_t take_handle(int descriptor);
void take_lock(void);
void give_lock(void);

/* Writes a record. The lock has to be held. */
void note(enum kind kind, uint32_t handle, uint64_t number, const void *bytes, size_t length);

/* A new handle. The lock has to be held. */
uint32_t new_handle(void);
void remember(int descriptor, uint32_t handle);
void forget(int descriptor);

/* The path within the folder, or NULL where the file is not watched. */
const char *watched_name(const char *path);

/* Ends the process: the record cannot be kept. */
_Noreturn void give_up(const char *why);
