import { ApiProperty } from '@nestjs/swagger';
import { IsUUID } from 'class-validator';
import { TokenOptionsDto } from '../token.dto.js';

export class ExchangeTokenDto extends TokenOptionsDto {
  @ApiProperty({ format: 'uuid', description: 'Our id of the chat service.' })
  @IsUUID()
  serviceId!: string;
}
