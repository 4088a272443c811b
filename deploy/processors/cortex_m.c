/* Start a Cortex-M without an operating system; newlib's rdimon then gives main its words and files by semihosting. */
#include <stdint.h>

#define COPROCESSOR_ACCESS ((volatile uint32_t *)0xE000ED88)

extern uint32_t cortex_m_stack_top; /* of the linker script */
void _start(void);                  /* of newlib */
void cortex_m_reset(void);

void cortex_m_reset(void) {
#ifdef __ARM_FP
  *COPROCESSOR_ACCESS |= 0xFu << 20; /* the floating-point unit is off after a reset */
  __asm__ volatile("dsb\n\tisb");
#endif
  _start();
}

/* End with a failure instead of hanging: semihosting's SYS_EXIT, for an unknown run-time error. */
static void fault(void) { __asm__ volatile("mov r0, #0x18\n\tldr r1, =0x20023\n\tbkpt 0xAB" ::: "r0", "r1", "memory"); }

static const struct {
  uint32_t *stack;
  void (*reset)(void);
  void (*exceptions[14])(void);
} vectors __attribute__((section(".vectors"), used)) = {
    &cortex_m_stack_top,
    cortex_m_reset,
    {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault},
};
